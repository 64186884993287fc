package table

import (
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/stream"
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
	// Stream is the open stream of what happens to the items; nil for none.
	Stream *stream.Stream `json:",omitempty"`
	// TimeToLive removes items at the time that an attribute of theirs says; nil where it is off.
	TimeToLive *TimeToLive `json:",omitempty"`
	// Recovery keeps what writes replace, so that the table as it was can be restored; nil where it is off.
	Recovery *Recovery `json:",omitempty"`
	// Source is where a table that is being restored has its items from; nil for other tables.
	Source *Source `json:",omitempty"`
	// Backups are the ids of the backups that are being made.
	Backups []string `json:",omitempty"`
	// Exports are the ids of the exports that are being written.
	Exports []string `json:",omitempty"`

	Tags           map[string]string `json:",omitempty"`
	Policy         string            `json:",omitempty"` // the resource policy, as it was given
	PolicyRevision string            `json:",omitempty"`
}

// TimeToLive is the setting of that name.
type TimeToLive struct {
	Attribute string
	Ready     bool // the items that were there before are known, too
}

// Recovery is point-in-time recovery of a table.
type Recovery struct {
	Since time.Time // from when on
	Days  int32     // how far back
}

// Earliest is the first moment that the table can be restored to.
func (r *Recovery) Earliest(now time.Time) time.Time {
	if first := now.UTC().AddDate(0, 0, -int(r.Days)); first.After(r.Since) {
		return first
	}
	return r.Since
}

// Source is a backup, another table as it was at a time, or a bucket.
type Source struct {
	Backup string    `json:",omitempty"` // its id
	Table  string    `json:",omitempty"` // the other table's name
	At     time.Time `json:",omitzero"`
	Import string    `json:",omitempty"` // the id of an import: items come from a bucket
}

// Creating says that the table is being restored: its items cannot be used yet.
func (r *Record) Creating() bool { return r.Source != nil }

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
