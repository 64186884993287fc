package table

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// Table is a table's description, made ready for reads and writes. It does not change.
type Table struct {
	*Record
	Schema  Schema
	Indexes []*Index // the local ones first
	ByName  []*Index // the same in the order of their names, in which AWS checks them

	items []byte // what the keys of all items begin with
	fence []byte // the record as it was read, where other processes may change it
}

// Index is a secondary index.
type Index struct {
	Name   string
	Local  bool
	Schema Schema
	// Projected are the attributes that it has besides the keys; All says that it has every one.
	Projected map[string]bool
	All       bool
	// Writable is false while the index is being deleted, Readable while it is being built, too.
	Writable, Readable bool

	table  Schema
	prefix []byte // what the keys of all entries begin with
}

// Attribute is a key attribute. One without a name is none.
type Attribute struct {
	Name string
	Kind item.Kind
}

// Schema is the key of a table or of an index.
type Schema struct{ Hash, Range Attribute }

// Attributes are the schema's one or two.
func (s *Schema) Attributes() []Attribute {
	if s.Range.Name == "" {
		return []Attribute{s.Hash}
	}
	return []Attribute{s.Hash, s.Range}
}

// Has says whether an attribute is part of the key.
func (s *Schema) Has(name string) bool {
	return name == s.Hash.Name || name == s.Range.Name && name != ""
}

// New makes a table of its record.
func New(r *Record) (*Table, error) {
	id, err := hex.DecodeString(strings.ReplaceAll(awsapi.Val(r.API.TableId), "-", ""))
	if err != nil || len(id) < tableBytes {
		return nil, fmt.Errorf("dynamodb: table %s has the id %q", r.Name, awsapi.Val(r.API.TableId))
	}
	t := &Table{Record: r, items: append([]byte{space, itemSpace}, id[:tableBytes]...)}
	kinds := map[string]item.Kind{}
	for _, a := range r.API.AttributeDefinitions {
		kinds[*a.AttributeName], _ = item.KindOf(*a.AttributeType)
	}
	t.Schema = schemaOf(r.API.KeySchema, kinds)
	entries := append([]byte{space, entrySpace}, id[:tableBytes]...)
	add := func(x *Index, keys []api.KeySchemaElement, p *api.Projection) {
		x.Schema, x.table = schemaOf(keys, kinds), t.Schema
		x.All = awsapi.Val(p.ProjectionType) == api.ProjectionTypeAll
		x.Projected = map[string]bool{}
		for _, name := range p.NonKeyAttributes {
			x.Projected[name] = true
		}
		number := r.Numbers[x.Name]
		x.prefix = append(entries[:len(entries):len(entries)], byte(number>>8), byte(number))
		t.Indexes = append(t.Indexes, x)
	}
	for _, x := range r.API.LocalSecondaryIndexes {
		add(&Index{Name: *x.IndexName, Local: true, Writable: true, Readable: true}, x.KeySchema, x.Projection)
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		status := awsapi.Val(x.IndexStatus)
		add(&Index{Name: *x.IndexName, Writable: status != api.IndexStatusDeleting,
			Readable: status != api.IndexStatusDeleting && status != api.IndexStatusCreating}, x.KeySchema, x.Projection)
	}
	t.ByName = slices.SortedFunc(slices.Values(t.Indexes), func(a, b *Index) int { return strings.Compare(a.Name, b.Name) })
	return t, nil
}

func schemaOf(keys []api.KeySchemaElement, kinds map[string]item.Kind) (s Schema) {
	for _, k := range keys {
		a := Attribute{*k.AttributeName, kinds[*k.AttributeName]}
		if awsapi.Val(k.KeyType) == api.KeyTypeHash {
			s.Hash = a
		} else {
			s.Range = a
		}
	}
	return s
}

// Index returns the index of the given name, or nil.
func (t *Table) Index(name string) *Index {
	for _, x := range t.Indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// Reserves says whether an attribute is the key of the table or of an index.
func (t *Table) Reserves(name string) bool {
	if t.Schema.Has(name) {
		return true
	}
	for _, x := range t.Indexes {
		if x.Schema.Has(name) {
			return true
		}
	}
	return false
}

// Blind says that a write need not know what was there before it.
func (t *Table) Blind() bool { return len(t.Indexes) == 0 && !t.followed() }

// same says whether two items have the same key.
func (s *Schema) same(a, b item.Item) bool {
	for _, k := range s.Attributes() {
		if !a[k.Name].Equal(b[k.Name]) {
			return false
		}
	}
	return true
}
