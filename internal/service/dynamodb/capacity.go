package dynamodb

import (
	"maps"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
)

// meter counts the capacity that an operation consumes of one table. A nil one counts nothing.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
type meter struct {
	name    string // as the request has it
	writes  bool
	factor  float64 // 2 in transactions
	table   float64
	local   map[string]float64
	global  map[string]float64
	indexes bool // to be told apart
}

// newMeter returns a meter, or nil where the request does not ask for one.
func newMeter(asked, name *string, writes bool, factor float64) *meter {
	if asked == nil || *asked == api.ReturnConsumedCapacityNone {
		return nil
	}
	return &meter{name: awsapi.Val(name), writes: writes, factor: factor, indexes: *asked == api.ReturnConsumedCapacityIndexes}
}

// writeUnits is a unit for each KB begun, and one at least.
func writeUnits(size int) float64 { return float64(max(1, (size+1023)>>10)) }

// readUnits is a unit for each 4 KB begun, and one at least; half as much where the read need not be consistent.
func readUnits(size int, consistent bool) float64 {
	units := float64(max(1, (size+4095)>>12))
	if !consistent {
		units /= 2
	}
	return units
}

// wrote counts a write that found old and left now; nil is none.
func (m *meter) wrote(t *table.Table, old, now item.Item) {
	if m == nil {
		return
	}
	m.table += m.factor * writeUnits(max(old.Size(), now.Size()))
	for _, x := range t.Indexes {
		units := 0.0
		for _, size := range x.Writes(old, now) {
			units += writeUnits(size)
		}
		if units > 0 {
			m.index(x, m.factor*units)
		}
	}
}

// read counts a read of so many bytes, of the table or of an index.
func (m *meter) read(x *table.Index, size int, consistent bool) {
	if m == nil {
		return
	}
	units := m.factor * readUnits(size, consistent)
	if x == nil {
		m.table += units
	} else {
		m.index(x, units)
	}
}

func (m *meter) index(x *table.Index, units float64) {
	of := &m.global
	if x.Local {
		of = &m.local
	}
	if *of == nil {
		*of = map[string]float64{}
	}
	(*of)[x.Name] += units
}

// report is what the reply says.
func (m *meter) report() *api.ConsumedCapacity {
	if m == nil {
		return nil
	}
	total := m.table
	for _, of := range []map[string]float64{m.local, m.global} {
		for _, units := range of {
			total += units
		}
	}
	all := m.capacity(total)
	c := &api.ConsumedCapacity{TableName: &m.name, CapacityUnits: all.CapacityUnits,
		ReadCapacityUnits: all.ReadCapacityUnits, WriteCapacityUnits: all.WriteCapacityUnits}
	if m.indexes {
		c.Table = new(m.capacity(m.table))
		c.LocalSecondaryIndexes = m.capacities(m.local)
		c.GlobalSecondaryIndexes = m.capacities(m.global)
	}
	return c
}

func (m *meter) capacities(of map[string]float64) map[string]api.Capacity {
	if of == nil {
		return nil
	}
	out := make(map[string]api.Capacity, len(of))
	for name, units := range of {
		out[name] = m.capacity(units)
	}
	return out
}

// capacity has the kind of the units in transactions alone, as AWS's has.
func (m *meter) capacity(units float64) api.Capacity {
	c := api.Capacity{CapacityUnits: &units}
	if m.factor > 1 {
		if m.writes {
			c.WriteCapacityUnits = &units
		} else {
			c.ReadCapacityUnits = &units
		}
	}
	return c
}

// meters are those of an operation on several tables, by the name that the request has.
type meters map[string]*meter

// of returns the table's meter, made when it is first asked for.
func (m meters) of(asked *string, name string, writes bool, factor float64) *meter {
	if m[name] == nil {
		m[name] = newMeter(asked, &name, writes, factor)
	}
	return m[name]
}

func (m meters) report() (all []api.ConsumedCapacity) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if c := m[name].report(); c != nil {
			all = append(all, *c)
		}
	}
	return all
}

// collection is what a reply says of the size of the item's collection, where the table has local indexes.
// The estimate is as rough as AWS's smallest: between 0 and 1 GB.
func collection(asked *string, t *table.Table, key item.Item) *api.ItemCollectionMetrics {
	if awsapi.Val(asked) != api.ReturnItemCollectionMetricsSize || len(t.Indexes) == 0 || !t.Indexes[0].Local {
		return nil
	}
	hash := t.Schema.Hash.Name
	return &api.ItemCollectionMetrics{ItemCollectionKey: item.Item{hash: key[hash]}.API(), SizeEstimateRangeGB: []float64{0, 1}}
}
