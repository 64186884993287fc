package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
)

// model is an api-2.json.
type model struct {
	Source     source
	Metadata   metadata
	Operations map[string]*operation
	Shapes     map[string]*shape

	ids      map[string]int // shape name to its place in the table
	goNames  map[string]string
	bindings []string // operation names, sorted

	namesShapes bool // scalars have their shapes' names, so that a new name is a new shape
}

type metadata struct {
	APIVersion         string `json:"apiVersion"`
	EndpointPrefix     string `json:"endpointPrefix"`
	JSONVersion        string `json:"jsonVersion"`
	Protocol           string
	ServiceID          string `json:"serviceId"`
	SigningName        string `json:"signingName"`
	TargetPrefix       string `json:"targetPrefix"`
	UID                string
	XMLNamespace       xmlNamespace `json:"xmlNamespace"`
	AWSQueryCompatible *struct{}    `json:"awsQueryCompatible"`
}

type operation struct {
	Name string
	HTTP struct {
		Method       string
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	}
	Input, Output *reference
	Errors        []reference
	AuthType      string `json:"authtype"`
	Deprecated    bool   `json:"deprecated"`
	HTTPChecksum  *struct {
		RequestAlgorithmMember      string   `json:"requestAlgorithmMember"`
		RequestChecksumRequired     bool     `json:"requestChecksumRequired"`
		RequestValidationModeMember string   `json:"requestValidationModeMember"`
		ResponseAlgorithms          []string `json:"responseAlgorithms"`
	} `json:"httpChecksum"`
}

type shape struct {
	Name            string
	Type            string
	Members         map[string]*reference
	MemberOrder     []string
	Required        []string
	Key, Value      *reference
	Member          *reference
	Enum            []string
	Min, Max        *float64
	Pattern         string
	Payload         string
	TimestampFormat string       `json:"timestampFormat"`
	LocationName    string       `json:"locationName"`
	XMLNamespace    xmlNamespace `json:"xmlNamespace"`
	Flattened       bool
	Streaming       bool
	EventStream     bool `json:"eventstream"`
	Event           bool
	Sensitive       bool
	Union           bool
	Document        bool
	Exception       bool
	Fault           bool
	Error           *shapeError
}

type shapeError struct {
	Code           string
	HTTPStatusCode int  `json:"httpStatusCode"`
	SenderFault    bool `json:"senderFault"`
}

type reference struct {
	Shape            string
	Location         string
	LocationName     string `json:"locationName"`
	QueryName        string `json:"queryName"`
	Flattened        bool
	Streaming        bool
	XMLAttribute     bool         `json:"xmlAttribute"`
	XMLNamespace     xmlNamespace `json:"xmlNamespace"`
	IdempotencyToken bool         `json:"idempotencyToken"`
	JSONValue        bool         `json:"jsonvalue"`
	EventPayload     bool         `json:"eventpayload"`
	EventHeader      bool         `json:"eventheader"`
	HostLabel        bool         `json:"hostLabel"`
	TimestampFormat  string       `json:"timestampFormat"`
	ResultWrapper    string       `json:"resultWrapper"`
}

// xmlNamespace is a URI, or an object of one and a prefix.
type xmlNamespace struct{ URI, Prefix string }

func (n *xmlNamespace) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.URI)
	}
	type plain xmlNamespace
	return json.Unmarshal(b, (*plain)(n))
}

func load(path string) (*model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &model{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, err
	}
	for name, s := range m.Shapes {
		s.Name = name
	}
	return m, readMemberOrder(b, m)
}

// readMemberOrder keeps the order in which the model names members: structures are encoded in it.
func readMemberOrder(b []byte, m *model) error {
	var raw struct {
		Shapes map[string]struct{ Members json.RawMessage }
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for name, s := range raw.Shapes {
		if len(s.Members) == 0 {
			continue
		}
		d := json.NewDecoder(strings.NewReader(string(s.Members)))
		if _, err := d.Token(); err != nil {
			return err
		}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return err
			}
			m.Shapes[name].MemberOrder = append(m.Shapes[name].MemberOrder, key.(string))
		}
	}
	return nil
}

// prepare numbers the shapes and gives them their Go names.
func (m *model) prepare() {
	m.ids, m.goNames = map[string]int{}, map[string]string{}
	names := make([]string, 0, len(m.Shapes))
	for name := range m.Shapes {
		names = append(names, name)
	}
	sort.Strings(names)
	taken := map[string]bool{"API": true, "Service": true, "Unimplemented": true}
	for i, name := range names {
		m.ids[name] = i
		goName := upperFirst(name)
		for taken[goName] {
			goName += "Shape"
		}
		taken[goName] = true
		m.goNames[name] = goName
	}
	for name := range m.Operations {
		m.bindings = append(m.bindings, name)
	}
	sort.Strings(m.bindings)
}

// sorted returns the shapes by name.
func (m *model) sorted() []*shape {
	shapes := make([]*shape, len(m.ids))
	for name, i := range m.ids {
		shapes[i] = m.Shapes[name]
	}
	return shapes
}

// inputType and outputType are the Go types of an operation's input and output.
func (m *model) inputType(o *operation) string {
	if o.Input == nil {
		return o.Name + "Input"
	}
	return m.goNames[o.Input.Shape]
}

func (m *model) outputType(o *operation) string {
	if o.Output == nil {
		return o.Name + "Output"
	}
	return m.goNames[o.Output.Shape]
}

// fieldType is the Go type of a structure's member.
func (m *model) fieldType(r *reference) string {
	s := m.Shapes[r.Shape]
	switch {
	case s.EventStream:
		return "awsapi.EventStream"
	case s.Exception:
		return "*awsapi.Error"
	case s.Type == "blob" && (s.Streaming || r.Streaming):
		return "io.Reader"
	}
	switch t := m.elementType(r); s.Type {
	case "blob", "list", "map":
		return t
	default:
		if t == "any" {
			return t
		}
		return "*" + t
	}
}

// elementType is the Go type of what a list or a map holds.
func (m *model) elementType(r *reference) string {
	s := m.Shapes[r.Shape]
	switch s.Type {
	case "structure":
		if s.Document {
			return "any"
		}
		return m.goNames[r.Shape]
	case "list":
		return "[]" + m.elementType(s.Member)
	case "map":
		return "map[string]" + m.elementType(s.Value)
	case "string", "character":
		return "string"
	case "blob":
		return "[]byte"
	case "boolean":
		return "bool"
	case "integer":
		return "int32"
	case "long":
		return "int64"
	case "float":
		return "float32"
	case "double":
		return "float64"
	case "timestamp":
		return "time.Time"
	}
	panic(fmt.Sprintf("shape %s has the unknown type %q", r.Shape, s.Type))
}

func (s *shape) required(member string) bool { return slices.Contains(s.Required, member) }

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
