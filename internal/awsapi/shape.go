package awsapi

import (
	"context"
	"net/http"
	"reflect"
	"strings"
)

// Kind is a shape's type in the API model.
type Kind uint8

// The kinds of shapes. Integer is 32 bits wide, Long 64. Document is JSON of any form.
const (
	Structure Kind = iota
	List
	Map
	String
	Blob
	Boolean
	Integer
	Long
	Float
	Double
	Timestamp
	Document
)

var kindNames = [...]string{"structure", "list", "map", "string", "blob", "boolean", "integer", "long",
	"float", "double", "timestamp", "document"}

func (k Kind) String() string { return kindNames[k] }

// ShapeID is a shape's index in its service's table; NoShape stands for none.
type ShapeID int16

// NoShape is the ShapeID of an operation without input or output.
const NoShape ShapeID = -1

// Shape is one shape of a model. Its Go type is fixed by its kind:
//
//	Structure  a struct with one field a member, in the order of Members; as a member *T, in a
//	           list or map T
//	List       []T          Map        map[string]T
//	String     *string      Boolean    *bool
//	Integer    *int32       Long       *int64
//	Float      *float32     Double     *float64
//	Timestamp  *time.Time   Blob       []byte, or io.Reader where it is Streaming
//	Document   any
//
// Pointers are for members alone: list elements and map values are plain. A structure that is an
// EventStream has the Go type EventStream.
type Shape struct {
	Name    string
	Kind    Kind
	Members []Member // of a Structure
	Key     Element  // of a Map
	Elem    Element  // a List's element or a Map's value

	Range   *Range   // length of strings, blobs, lists and maps; value of numbers
	Pattern string   // a Java regular expression, as in the model; "" for none
	Enum    []string // allowed values; nil for any

	TimestampFormat string // iso8601, rfc822, unixTimestamp or "" for the place's default
	Payload         string // name of the member that is the whole HTTP body; "" for none
	XMLName         string // locationName on the shape itself
	XMLNamespace    string

	Flattened   bool
	Streaming   bool // a Blob that is the HTTP body and is not buffered
	EventStream bool // a Structure whose members are the events of a stream
	Event       bool // a Structure that is one event of a stream
	Sensitive   bool
	Union       bool
	Exception   *ErrorType // of a Structure that is an error
}

// Range bounds a length or a value; both ends are inclusive, and HasMax says whether Max counts.
type Range struct {
	Min, Max float64
	HasMin   bool
	HasMax   bool
}

// Element is what a list holds, or the key or value of a map.
type Element struct {
	Shape ShapeID
	Name  string // locationName; "" for the protocol's default
}

// Location says where a member travels in an HTTP request or response.
type Location uint8

// The locations of a member. Body is the default.
const (
	Body Location = iota
	URI
	QueryString
	Header
	Headers // a map, spread over headers with the member's name as prefix
	StatusCode
)

// Member is one member of a structure.
type Member struct {
	Name             string // in the model; the Go field is the same with its first letter upper case
	Shape            ShapeID
	Wire             string // locationName; "" for Name
	QueryName        string // ec2 and query override; "" for none
	Location         Location
	Required         bool
	Flattened        bool
	XMLAttribute     bool
	XMLNamespace     string
	XMLPrefix        string
	IdempotencyToken bool
	JSONValue        bool // a string that holds JSON: base64 in a header, escaped in a body
	Streaming        bool
	EventPayload     bool
	EventHeader      bool
	HostLabel        bool
	TimestampFormat  string
}

// WireName is the member's name on the wire.
func (m *Member) WireName() string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}

// FormName is the member's name in the query protocol.
func (m *Member) FormName() string {
	if m.QueryName != "" {
		return m.QueryName
	}
	return m.WireName()
}

// Operation is one operation of a service.
type Operation struct {
	Name          string
	Method        string // HTTP
	Path          string // HTTP, with {label} and {label+}, and a query string where the model has one
	Status        int    // of a success; 0 for 200
	Input, Output ShapeID
	Errors        []ShapeID
	ResultWrapper string // of the query protocol's replies
	InputXMLName  string // rest-xml: the root element where the body is the input itself
	InputXMLNS    string
	Unsigned      bool // the model's authtype none
	Deprecated    bool // where another has the same route, that one has it
	Checksum      *Checksum

	// New makes an empty input. Call calls the operation on an implementation of the service's API
	// interface with an input that New made.
	New  func() any
	Call func(ctx context.Context, impl, in any) (any, error)
	// Out is the output's type, a struct.
	Out func() reflect.Type
}

// Checksum is the model's httpChecksum trait.
type Checksum struct {
	RequestAlgorithmMember     string
	RequestRequired            bool
	RequestValidationModeField string
	ResponseAlgorithms         []string
}

// Protocol is a wire protocol.
type Protocol uint8

// The protocols. JSON's version (1.0 or 1.1) is the service's JSONVersion.
const (
	JSON Protocol = iota
	Query
	RestJSON
	RestXML
	RPCv2CBOR
	EC2
)

// Service is the table of one service.
type Service struct {
	Name            string // the folder in AWS's models and the name for Caller: "lambda", "states"
	ID              string // serviceId: "CloudWatch Logs"
	SigningName     string // in a SigV4 credential scope
	EndpointPrefix  string
	TargetPrefix    string // of X-Amz-Target
	APIVersion      string
	JSONVersion     string
	XMLNamespace    string
	Protocol        Protocol // the model's first
	QueryCompatible bool     // answers errors with x-amzn-query-error
	Shapes          []Shape
	Operations      []Operation
}

// Called is the name of the operation that a request calls, by its method, its target and its X-Amz-Target, as in the
// JSON protocols; "" where that names none of this service.
func (s *Service) Called(method, target, header string) string {
	prefix, name, ok := strings.Cut(header, ".")
	if !ok || prefix == "" || prefix != s.TargetPrefix || method != http.MethodPost || target != "/" && target != "" {
		return ""
	}
	return name
}

// Shape returns the shape with the given id.
func (s *Service) Shape(id ShapeID) *Shape { return &s.Shapes[id] }

// Operation returns the operation with the given name, or nil.
func (s *Service) Operation(name string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].Name == name {
			return &s.Operations[i]
		}
	}
	return nil
}

// EventStream is the output of an operation that answers with a stream of events. It is called once,
// calls send with a pointer to the event structure, exactly one of whose members is set, and returns
// when the stream ends. send fails when the client has gone.
type EventStream func(send func(event any) error) error
