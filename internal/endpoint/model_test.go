package endpoint_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/upstream"
)

// jsonModel is an api-2.json, or a suite of protocol cases, which has the same form.
type jsonModel struct {
	Description string
	Metadata    struct {
		Protocol, JSONVersion, TargetPrefix, SigningName, EndpointPrefix, ServiceID, APIVersion string
		XMLNamespace                                                                            jsonNamespace
		AWSQueryCompatible                                                                      *struct{}
	}
	Shapes     map[string]*jsonShape
	Operations map[string]*jsonOperation
	Cases      []protocolCase
}

type jsonOperation struct {
	Name          string
	HTTP          struct{ Method, RequestURI string }
	Input, Output *jsonRef
}

type jsonNamespace struct{ URI, Prefix string }

func (n *jsonNamespace) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &n.URI)
	}
	type plain jsonNamespace
	return json.Unmarshal(b, (*plain)(n))
}

type jsonShape struct {
	Type                                                          string
	Members                                                       members
	Member, Key, Value                                            *jsonRef
	Payload, LocationName, TimestampFormat, Location              string
	XMLNamespace                                                  jsonNamespace
	Flattened, Streaming, EventStream, Event, Document, JSONValue bool
	Enum                                                          []string
}

type jsonRef struct {
	Shape, Location, LocationName, QueryName, TimestampFormat, ResultWrapper, Payload string
	XMLNamespace                                                                      jsonNamespace
	Flattened, Streaming, XMLAttribute, JSONValue, EventPayload, IdempotencyToken     bool
	OmitEmpty                                                                         bool
}

// members keeps the order of a structure's members.
type members struct {
	names []string
	refs  map[string]*jsonRef
}

func (m *members) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.refs); err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m.names = append(m.names, name.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

// upstreamDir returns where a module of AWS's lies, and skips the test where it cannot be fetched.
func upstreamDir(t *testing.T, module string) string {
	t.Helper()
	dir, err := upstream.Dir(module)
	if err != nil {
		t.Skipf("AWS's module with the fixtures cannot be fetched: %v", err)
	}
	return dir
}

func readJSON(t *testing.T, into any, path ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// maxUnrolled is how deep a shape that holds itself is followed: reflect cannot make recursive types.
const maxUnrolled = 4

// builder makes a table and Go types of a model at run time.
type builder struct {
	model *jsonModel
	table *awsapi.Service
	depth map[string]int
	made  map[string]built // of shapes that hold no shape again
}

type built struct {
	id awsapi.ShapeID
	t  reflect.Type
}

var jsonKinds = map[string]awsapi.Kind{"structure": awsapi.Structure, "list": awsapi.List, "map": awsapi.Map,
	"string": awsapi.String, "character": awsapi.String, "blob": awsapi.Blob, "boolean": awsapi.Boolean,
	"integer": awsapi.Integer, "long": awsapi.Long, "float": awsapi.Float, "double": awsapi.Double, "timestamp": awsapi.Timestamp}

var jsonProtocols = map[string]awsapi.Protocol{"json": awsapi.JSON, "query": awsapi.Query, "rest-json": awsapi.RestJSON,
	"rest-xml": awsapi.RestXML, "smithy-rpc-v2-cbor": awsapi.RPCv2CBOR}

func newBuilder(m *jsonModel) *builder {
	meta := m.Metadata
	return &builder{model: m, depth: map[string]int{}, made: map[string]built{}, table: &awsapi.Service{Name: meta.EndpointPrefix, ID: meta.ServiceID,
		SigningName: meta.SigningName, TargetPrefix: meta.TargetPrefix, JSONVersion: meta.JSONVersion, APIVersion: meta.APIVersion,
		XMLNamespace: meta.XMLNamespace.URI, Protocol: jsonProtocols[meta.Protocol], QueryCompatible: meta.AWSQueryCompatible != nil}}
}

// shape makes the shape of that name and its type.
func (b *builder) shape(name string) (awsapi.ShapeID, reflect.Type) {
	if m, ok := b.made[name]; ok {
		return m.id, m.t
	}
	js := b.model.Shapes[name]
	id := awsapi.ShapeID(len(b.table.Shapes))
	b.table.Shapes = append(b.table.Shapes, awsapi.Shape{})
	b.depth[name]++
	s := awsapi.Shape{Name: name, Kind: jsonKinds[js.Type], Payload: js.Payload, XMLName: js.LocationName, XMLNamespace: js.XMLNamespace.URI,
		TimestampFormat: js.TimestampFormat, Flattened: js.Flattened, Streaming: js.Streaming, EventStream: js.EventStream, Event: js.Event}
	var t reflect.Type
	switch {
	case js.Document:
		s.Kind, t = awsapi.Document, reflect.TypeFor[any]()
	case js.Type == "structure":
		t = b.structure(&s, js)
	case js.Type == "list":
		s.Elem.Name = js.Member.LocationName
		s.Elem.Shape, t = b.shape(js.Member.Shape)
		t = reflect.SliceOf(t)
	case js.Type == "map":
		s.Key.Name, s.Elem.Name = js.Key.LocationName, js.Value.LocationName
		s.Key.Shape, _ = b.shape(js.Key.Shape)
		s.Elem.Shape, t = b.shape(js.Value.Shape)
		t = reflect.MapOf(reflect.TypeFor[string](), t)
	default:
		t = scalarTypes[s.Kind]
	}
	b.depth[name]--
	b.table.Shapes[id] = s
	if js.Type != "structure" && js.Type != "list" && js.Type != "map" {
		b.made[name] = built{id, t}
	}
	return id, t
}

var scalarTypes = map[awsapi.Kind]reflect.Type{awsapi.String: reflect.TypeFor[string](), awsapi.Blob: reflect.TypeFor[[]byte](),
	awsapi.Boolean: reflect.TypeFor[bool](), awsapi.Integer: reflect.TypeFor[int32](), awsapi.Long: reflect.TypeFor[int64](),
	awsapi.Float: reflect.TypeFor[float32](), awsapi.Double: reflect.TypeFor[float64](), awsapi.Timestamp: reflect.TypeFor[time.Time]()}

var jsonLocations = map[string]awsapi.Location{"uri": awsapi.URI, "querystring": awsapi.QueryString, "header": awsapi.Header,
	"headers": awsapi.Headers, "statusCode": awsapi.StatusCode}

func (b *builder) structure(s *awsapi.Shape, js *jsonShape) reflect.Type {
	var goFields []reflect.StructField
	for _, name := range js.Members.names {
		ref := js.Members.refs[name]
		target := b.model.Shapes[ref.Shape]
		if b.tooDeep(ref.Shape) {
			continue
		}
		id, t := b.shape(ref.Shape)
		m := awsapi.Member{Name: name, Shape: id, Wire: ref.LocationName, QueryName: ref.QueryName,
			Location: jsonLocations[ref.Location+map[bool]string{true: target.Location}[ref.Location == ""]], Flattened: ref.Flattened,
			XMLAttribute: ref.XMLAttribute, XMLNamespace: ref.XMLNamespace.URI, XMLPrefix: ref.XMLNamespace.Prefix,
			JSONValue: ref.JSONValue || target.JSONValue, Streaming: ref.Streaming, EventPayload: ref.EventPayload, TimestampFormat: ref.TimestampFormat}
		if m.Wire == "" && target.Location != "" {
			m.Wire = target.LocationName
		}
		switch {
		case target.EventStream:
			t = reflect.TypeFor[awsapi.EventStream]()
		case target.Type == "blob" && (ref.Streaming || target.Streaming):
			t = reflect.TypeFor[io.Reader]()
		case t.Kind() != reflect.Slice && t.Kind() != reflect.Map && t.Kind() != reflect.Interface:
			t = reflect.PointerTo(t)
		}
		s.Members = append(s.Members, m)
		goFields = append(goFields, reflect.StructField{Name: strings.ToUpper(name[:1]) + name[1:], Type: t})
	}
	return reflect.StructOf(goFields)
}

// tooDeep reports whether a member of the shape would go on without end. It looks through lists and maps.
func (b *builder) tooDeep(name string) bool {
	for range 8 {
		if b.depth[name] >= maxUnrolled {
			return true
		}
		switch js := b.model.Shapes[name]; {
		case js.Type == "list":
			name = js.Member.Shape
		case js.Type == "map":
			name = js.Value.Shape
		default:
			return b.depth[name] >= maxUnrolled
		}
	}
	return false
}

// operation makes an operation whose call does nothing.
func (b *builder) operation(o *jsonOperation) awsapi.Operation {
	op := awsapi.Operation{Name: o.Name, Method: o.HTTP.Method, Path: o.HTTP.RequestURI, Input: awsapi.NoShape, Output: awsapi.NoShape}
	if op.Method == "" {
		op.Method = "POST"
	}
	if op.Path == "" {
		op.Path = "/"
	}
	in, out := reflect.TypeFor[struct{}](), reflect.TypeFor[struct{}]()
	if o.Input != nil && o.Input.Shape != "" {
		op.Input, in = b.shape(o.Input.Shape)
		b.setPayload(op.Input, o.Input)
		op.InputXMLName, op.InputXMLNS = o.Input.LocationName, o.Input.XMLNamespace.URI
	}
	if o.Output != nil && o.Output.Shape != "" {
		op.Output, out = b.shape(o.Output.Shape)
		b.setPayload(op.Output, o.Output)
		op.ResultWrapper = o.Output.ResultWrapper
	}
	op.New = func() any { return reflect.New(in).Interface() }
	op.Out = func() reflect.Type { return out }
	op.Call = func(context.Context, any, any) (any, error) { return nil, nil }
	return op
}

// setPayload is for suites that name the payload where the shape is used.
func (b *builder) setPayload(id awsapi.ShapeID, ref *jsonRef) {
	if ref.Payload != "" {
		b.table.Shapes[id].Payload = ref.Payload
	}
}

// loadTable makes the table of a whole service.
func loadTable(t *testing.T, model string) *awsapi.Service {
	t.Helper()
	m := &jsonModel{}
	readJSON(t, m, upstreamDir(t, upstream.Models), "models", "apis", model, "api-2.json")
	if m.Metadata.SigningName == "" {
		m.Metadata.SigningName = m.Metadata.EndpointPrefix
	}
	b := newBuilder(m)
	for name := range m.Operations {
		b.table.Operations = append(b.table.Operations, b.operation(m.Operations[name]))
	}
	slices.SortFunc(b.table.Operations, func(a, b awsapi.Operation) int { return strings.Compare(a.Name, b.Name) })
	return b.table
}
