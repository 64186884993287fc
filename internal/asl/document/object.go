package document

import (
	"iter"
	"maps"
	"slices"
)

// Object is a JSON object whose members keep their order.
type Object struct {
	names  []string
	values map[string]any
}

// NewObject makes an object of names and values in turn.
func NewObject(members ...any) *Object {
	o := &Object{values: make(map[string]any, len(members)/2)}
	for i := 0; i+1 < len(members); i += 2 {
		o.Set(members[i].(string), members[i+1])
	}
	return o
}

// Len is how many members there are.
func (o *Object) Len() int { return len(o.names) }

// Get is the value of a member.
func (o *Object) Get(name string) (any, bool) {
	v, ok := o.values[name]
	return v, ok
}

// Set gives a member its value; a new one comes last.
func (o *Object) Set(name string, v any) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = v
}

// All are the members in their order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range o.names {
			if !yield(name, o.values[name]) {
				return
			}
		}
	}
}

// Clone is an object of its own with the same members.
func (o *Object) Clone() *Object {
	return &Object{slices.Clone(o.names), maps.Clone(o.values)}
}

func (o *Object) equal(other *Object) bool {
	if len(o.names) != len(other.names) {
		return false
	}
	for name, v := range o.values {
		w, ok := other.values[name]
		if !ok || !Equal(v, w) {
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
	if _, ok := o.values[key]; ok {
		delete(o.values, key)
		o.names = slices.DeleteFunc(o.names, func(name string) bool { return name == key })
	}
}

// Keys are the members' names in their order.
func (o *Object) Keys() []string { return o.names }
