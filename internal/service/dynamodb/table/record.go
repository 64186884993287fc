package table

import (
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/store"
)

// Ref names a table.
type Ref struct{ Account, Region, Name string }

// Record is a table's description as the store keeps it.
type Record struct {
	Ref
	// API is what DescribeTable answers, but for what is counted.
	API api.TableDescription
	// Numbers are those of the indexes, by name, as their entries' keys have them; LastNumber is the last
	// one that was given, to an index that may be gone.
	Numbers    map[string]uint16
	LastNumber uint16
}

// Key is the record's key in the store.
func (r Ref) Key() []byte { return store.Key("dynamodb", "table", r.Account, r.Region, r.Name) }

// Range is the records of all tables of an account in a region, in the order of their names.
func Range(account, region string) store.Range {
	return store.Prefix("dynamodb", "table", account, region)
}

// NumberIndexes gives a number to each index that has none yet.
func (r *Record) NumberIndexes() {
	if r.Numbers == nil {
		r.Numbers = map[string]uint16{}
	}
	number := func(name string) {
		if _, has := r.Numbers[name]; !has {
			r.LastNumber++
			r.Numbers[name] = r.LastNumber
		}
	}
	for _, x := range r.API.LocalSecondaryIndexes {
		number(*x.IndexName)
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		number(*x.IndexName)
	}
}
