package document

import (
	"iter"
	"maps"
	"slices"
)

// Object is a JSON object whose members keep their order.
type Object struct {
	names  []string
	values []any          // in the same order
	places map[string]int // by name, where there are many members; else nil
}

// many is how many members an object has at most that are searched one after the other.
const many = 12

// NewObject makes an object of names and values in turn.
func NewObject(members ...any) *Object {
	o := &Object{}
	if n := len(members) / 2; n > 0 {
		o.names, o.values = make([]string, 0, n), make([]any, 0, n)
	}
	for i := 0; i+1 < len(members); i += 2 {
		o.Set(members[i].(string), members[i+1])
	}
	return o
}

// Len is how many members there are.
func (o *Object) Len() int { return len(o.names) }

// place is where a member is, -1 for nowhere.
func (o *Object) place(name string) int {
	if o.places == nil {
		return slices.Index(o.names, name)
	}
	if i, ok := o.places[name]; ok {
		return i
	}
	return -1
}

// Get is the value of a member.
func (o *Object) Get(name string) (any, bool) {
	if i := o.place(name); i >= 0 {
		return o.values[i], true
	}
	return nil, false
}

// Set gives a member its value; a new one comes last.
func (o *Object) Set(name string, v any) {
	if i := o.place(name); i >= 0 {
		o.values[i] = v
		return
	}
	o.names, o.values = append(o.names, name), append(o.values, v)
	switch {
	case o.places != nil:
		o.places[name] = len(o.names) - 1
	case len(o.names) > many:
		o.index()
	}
}

// index notes where each member is.
func (o *Object) index() {
	o.places = make(map[string]int, 2*len(o.names))
	for i, name := range o.names {
		o.places[name] = i
	}
}

// All are the members in their order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i, name := range o.names {
			if !yield(name, o.values[i]) {
				return
			}
		}
	}
}

// Clone is an object of its own with the same members.
func (o *Object) Clone() *Object {
	return &Object{slices.Clone(o.names), slices.Clone(o.values), maps.Clone(o.places)}
}

func (o *Object) equal(other *Object) bool {
	if len(o.names) != len(other.names) {
		return false
	}
	for i, name := range o.names {
		w, ok := other.Get(name)
		if !ok || !Equal(o.values[i], w) {
			return false
		}
	}
	return true
}

// ValueForKey, SetValueForKey, RemoveValueForKey and Keys let JSONPath's library walk an object.
func (o *Object) ValueForKey(key string) (any, bool) { return o.Get(key) }

// SetValueForKey is Set.
func (o *Object) SetValueForKey(key string, v any) { o.Set(key, v) }

// RemoveValueForKey removes a member.
func (o *Object) RemoveValueForKey(key string) {
	i := o.place(key)
	if i < 0 {
		return
	}
	o.names, o.values = slices.Delete(o.names, i, i+1), slices.Delete(o.values, i, i+1)
	if o.places != nil {
		o.index()
	}
}

// Keys are the members' names in their order.
func (o *Object) Keys() []string { return o.names }
