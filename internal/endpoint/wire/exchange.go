package wire

import (
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"cirro/internal/awsapi"
)

// Service is a service's table with what the protocols need to look things up in it.
type Service struct {
	*awsapi.Service
	Plans *Plans

	operations map[string]*Operation
	exceptions map[string]awsapi.ShapeID
}

// NewService indexes the table s.
func NewService(s *awsapi.Service) *Service {
	out := &Service{Service: s, Plans: NewPlans(s),
		operations: make(map[string]*Operation, len(s.Operations)), exceptions: map[string]awsapi.ShapeID{}}
	for i := range s.Operations {
		o := &s.Operations[i]
		out.operations[o.Name] = &Operation{Operation: o, Service: out}
	}
	for i := range s.Shapes {
		if e := s.Shapes[i].Exception; e != nil {
			out.exceptions[e.Code] = awsapi.ShapeID(i)
		}
	}
	return out
}

// Lookup returns the operation of that name, or nil.
func (s *Service) Lookup(name string) *Operation { return s.operations[name] }

// ExceptionShape returns the shape of the errors of the type, or nil where the model has none.
func (s *Service) ExceptionShape(t *awsapi.ErrorType) *awsapi.Shape {
	if s == nil {
		return nil
	}
	if id, ok := s.exceptions[t.Code]; ok {
		return s.Shape(id)
	}
	return nil
}

// Operation is one operation with the plans of its input and output, made when first asked for.
type Operation struct {
	*awsapi.Operation
	Service *Service

	once          sync.Once
	input, output *Plan
	inputType     reflect.Type
	labels        []*Field
}

func (o *Operation) prepare() {
	o.once.Do(func() {
		o.inputType = reflect.TypeOf(o.New())
		o.input = o.Service.Plans.Of(o.Operation.Input, o.inputType.Elem())
		o.output = o.Service.Plans.Of(o.Operation.Output, o.Out())
		o.bindLabels()
	})
}

// bindLabels finds the member behind each label of the path, in the path's order.
func (o *Operation) bindLabels() {
	path, _, _ := strings.Cut(o.Path, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		name := strings.TrimSuffix(strings.Trim(segment, "{}"), "+")
		var field *Field
		for i := range o.input.Fields {
			if f := &o.input.Fields[i]; f.Location == awsapi.URI && f.WireName() == name {
				field = f
			}
		}
		o.labels = append(o.labels, field)
	}
}

// Labels are the members that the path's labels stand for; nil for a label without one.
func (o *Operation) Labels() []*Field { o.prepare(); return o.labels }

// InputPlan is the plan of the input, a structure.
func (o *Operation) InputPlan() *Plan { o.prepare(); return o.input }

// OutputPlan is the plan of the output, a structure.
func (o *Operation) OutputPlan() *Plan { o.prepare(); return o.output }

// InputType is the type of the values that New makes.
func (o *Operation) InputType() reflect.Type { o.prepare(); return o.inputType }

// StreamsInput reports whether the request's body is a streaming blob.
func (o *Operation) StreamsInput() bool {
	f := o.InputPlan().PayloadField()
	return f != nil && f.Plan.Kind == awsapi.Blob && (f.Streaming || f.Plan.Streaming)
}

// Exchange is one request and its reply.
type Exchange struct {
	ID        string     // x-amzn-RequestId
	Service   *Service   // nil until known
	Operation *Operation // nil until known
	HTTP      *http.Request
	Bucket    string       // of S3 that the host names, "" for none
	Labels    []string     // values of the path's labels, in its order
	Body      []byte       // the whole body, unless the operation streams it
	Stream    io.Reader    // the body of an operation that streams it
	Form      *Form        // of a query request
	Ready     awsapi.Ready // of an awsJson reply
}

// Form is the body of a query request: parameters in the order they came.
type Form struct{ Names, Values []string }

// Get returns the first value of the parameter.
func (f *Form) Get(name string) string {
	for i, n := range f.Names {
		if n == name {
			return f.Values[i]
		}
	}
	return ""
}

// Protocol is one wire protocol.
type Protocol interface {
	// Decode fills in, which the operation's New made. Its errors are awsapi errors.
	Decode(x *Exchange, in any) error
	// Encode writes a success.
	Encode(w http.ResponseWriter, x *Exchange, out any) error
	// EncodeError writes a failure.
	EncodeError(w http.ResponseWriter, x *Exchange, err *awsapi.Error)
}
