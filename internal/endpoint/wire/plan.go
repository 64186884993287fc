package wire

import (
	"fmt"
	"net/textproto"
	"reflect"
	"sync"

	"cirro/internal/awsapi"
)

// Plan is a shape bound to the Go type that holds its values.
type Plan struct {
	*awsapi.Shape
	ID   awsapi.ShapeID
	Type reflect.Type // plain: a struct, a slice, a map or a scalar; never a pointer to one

	Fields []Field // of a structure, in the model's order
	Key    *Plan   // of a map
	Elem   *Plan   // of a list or a map
	Time   TimeFormat

	byWire    map[string]int
	byName    map[string]int
	hasHTTP   bool   // some member travels outside the body
	payload   *Field // the member that is the whole body
	bodyCount int
}

// Field is one member of a structure and the Go field that holds it.
type Field struct {
	*awsapi.Member
	Index     int
	Plan      *Plan
	HeaderKey string     // canonical, of a member that travels in a header
	Time      TimeFormat // of a timestamp
}

// Plans makes and keeps the plans of one service.
type Plans struct {
	service *awsapi.Service
	mu      sync.Mutex
	made    map[planKey]*Plan
}

type planKey struct {
	id awsapi.ShapeID
	t  reflect.Type
}

// NewPlans returns an empty cache of the plans of s.
func NewPlans(s *awsapi.Service) *Plans {
	return &Plans{service: s, made: map[planKey]*Plan{}}
}

// Shape returns the shape with the given id.
func (p *Plans) Shape(id awsapi.ShapeID) *awsapi.Shape { return p.service.Shape(id) }

var empty = &awsapi.Shape{Kind: awsapi.Structure}

// Of returns the plan of the shape id held by type t. For NoShape it is an empty structure.
func (p *Plans) Of(id awsapi.ShapeID, t reflect.Type) *Plan {
	if id == awsapi.NoShape {
		return &Plan{Shape: empty, ID: id, Type: t}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of(id, t)
}

func (p *Plans) of(id awsapi.ShapeID, t reflect.Type) *Plan {
	key := planKey{id, t}
	if made := p.made[key]; made != nil {
		return made
	}
	plan := &Plan{Shape: p.service.Shape(id), ID: id, Type: t}
	p.made[key] = plan // before its members: a shape may hold itself
	plan.Time = timeFormat(plan.TimestampFormat)
	switch plan.Kind {
	case awsapi.Structure:
		if t.Kind() == reflect.Struct {
			p.bindMembers(plan)
		}
	case awsapi.List:
		plan.Elem = p.of(plan.Shape.Elem.Shape, t.Elem())
	case awsapi.Map:
		plan.Key = p.of(plan.Shape.Key.Shape, t.Key())
		plan.Elem = p.of(plan.Shape.Elem.Shape, t.Elem())
	}
	return plan
}

func (p *Plans) bindMembers(plan *Plan) {
	if plan.Type.NumField() != len(plan.Members) {
		panic(fmt.Sprintf("wire: %v does not have the members of %s", plan.Type, plan.Name))
	}
	plan.Fields = make([]Field, len(plan.Members))
	plan.byWire = make(map[string]int, len(plan.Members))
	plan.byName = make(map[string]int, len(plan.Members))
	for i := range plan.Members {
		m := &plan.Members[i]
		t := plan.Type.Field(i).Type
		if t.Kind() == reflect.Pointer && t != errorType {
			t = t.Elem()
		}
		f := Field{Member: m, Index: i, Plan: p.of(m.Shape, t)}
		f.Time = f.Plan.Time
		if m.TimestampFormat != "" {
			f.Time = timeFormat(m.TimestampFormat)
		}
		switch m.Location {
		case awsapi.Header, awsapi.Headers:
			f.HeaderKey = textproto.CanonicalMIMEHeaderKey(m.WireName())
		}
		if m.Location == awsapi.Body {
			plan.byWire[m.WireName()] = i
			plan.byName[m.Name] = i
			plan.bodyCount++
		} else {
			plan.hasHTTP = true
		}
		plan.Fields[i] = f
		if plan.Payload != "" && m.Name == plan.Payload {
			plan.payload = &plan.Fields[i]
		}
	}
}

var errorType = reflect.TypeFor[*awsapi.Error]()

// IsError reports whether a value of the plan is an *awsapi.Error.
func (p *Plan) IsError() bool { return p.Type == errorType }

// Field returns the member of the body that has the name on the wire, or nil.
func (p *Plan) Field(wire string) *Field {
	if i, ok := p.byWire[wire]; ok {
		return &p.Fields[i]
	}
	return nil
}

// FieldNamed returns the member of the body that has the name in the model, or nil.
func (p *Plan) FieldNamed(name string) *Field {
	if i, ok := p.byName[name]; ok {
		return &p.Fields[i]
	}
	return nil
}

// PayloadField returns the member that is the whole HTTP body, or nil.
func (p *Plan) PayloadField() *Field { return p.payload }

// BodyMembers is how many members travel in the body.
func (p *Plan) BodyMembers() int { return p.bodyCount }

// Bound reports whether some member travels outside the body.
func (p *Plan) Bound() bool { return p.hasHTTP }

// StreamField returns the member that is an event stream, or nil.
func (p *Plan) StreamField() *Field {
	for i := range p.Fields {
		if p.Fields[i].Plan.EventStream {
			return &p.Fields[i]
		}
	}
	return nil
}

// Set returns a settable plain value for the member of the structure s, making what a pointer points to.
func (f *Field) Set(s reflect.Value) reflect.Value {
	v := s.Field(f.Index)
	if v.Kind() != reflect.Pointer || f.Plan.IsError() {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(f.Plan.Type))
	}
	return v.Elem()
}

// Get returns the plain value of the member of the structure s, and whether it is set.
func (f *Field) Get(s reflect.Value) (reflect.Value, bool) {
	v := s.Field(f.Index)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v, false
		}
		if f.Plan.IsError() {
			return v, true
		}
		return v.Elem(), true
	case reflect.Slice, reflect.Map, reflect.Interface, reflect.Func:
		return v, !v.IsNil()
	}
	return v, true
}
