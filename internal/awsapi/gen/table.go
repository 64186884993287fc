package main

import (
	"cmp"
	"strconv"
	"strings"
)

var kinds = map[string]string{"structure": "Structure", "list": "List", "map": "Map", "string": "String",
	"character": "String", "blob": "Blob", "boolean": "Boolean", "integer": "Integer", "long": "Long",
	"float": "Float", "double": "Double", "timestamp": "Timestamp"}

var protocols = map[string]string{"json": "JSON", "query": "Query", "rest-json": "RestJSON",
	"rest-xml": "RestXML", "smithy-rpc-v2-cbor": "RPCv2CBOR", "ec2": "EC2"}

var locations = map[string]string{"uri": "URI", "querystring": "QueryString", "header": "Header",
	"headers": "Headers", "statusCode": "StatusCode"}

// writeTable writes the static table Service. It holds no pointer between shapes, which Go would call
// an initialisation cycle, but indices, so that the linker lays it out and starting costs nothing.
func writeTable(w *writer, m *model) {
	w.printf("package %s\n\nimport (\n\"context\"\n\"reflect\"\n\n\"cirro/internal/awsapi\"\n)\n\n", m.Source.Package)
	meta := m.Metadata
	signing := meta.SigningName
	if signing == "" {
		signing = meta.EndpointPrefix
	}
	w.printf("// Service is the service's table.\nvar Service = awsapi.Service{\n")
	w.field("Name", m.Source.Name)
	w.field("ID", meta.ServiceID)
	w.field("SigningName", signing)
	w.field("EndpointPrefix", meta.EndpointPrefix)
	w.field("TargetPrefix", meta.TargetPrefix)
	w.field("APIVersion", meta.APIVersion)
	w.field("JSONVersion", meta.JSONVersion)
	w.field("XMLNamespace", cmp.Or(meta.XMLNamespace.URI, m.Source.Namespace))
	w.printf("Protocol: awsapi.%s,", protocols[meta.Protocol])
	w.field("QueryCompatible", meta.AWSQueryCompatible != nil)
	w.printf("\nShapes: shapes[:],\nOperations: operations[:],\n}\n\n")
	m.writeShapes(w)
	m.writeOperations(w)
}

func (m *model) writeShapes(w *writer) {
	w.printf("var shapes = [...]awsapi.Shape{\n")
	for i, s := range m.sorted() {
		w.printf("%d: {", i)
		w.field("Name", s.Name)
		kind := kinds[s.Type]
		if s.Document {
			kind = "Document"
		}
		w.printf("Kind: awsapi.%s,", kind)
		if s.Type == "map" {
			m.writeElement(w, "Key", s.Key)
			m.writeElement(w, "Elem", s.Value)
		}
		if s.Type == "list" {
			m.writeElement(w, "Elem", s.Member)
		}
		writeRange(w, s)
		w.field("Pattern", s.Pattern)
		w.field("Enum", s.Enum)
		w.field("TimestampFormat", s.TimestampFormat)
		w.field("Payload", s.Payload)
		w.field("XMLName", s.LocationName)
		w.field("XMLNamespace", s.XMLNamespace.URI)
		w.field("Flattened", s.Flattened)
		w.field("Streaming", s.Streaming)
		w.field("EventStream", s.EventStream)
		w.field("Event", s.Event)
		w.field("Sensitive", s.Sensitive)
		w.field("Union", s.Union)
		if s.Exception {
			w.printf("Exception: %s,", m.goNames[s.Name])
		}
		if len(s.MemberOrder) > 0 {
			w.printf("Members: []awsapi.Member{\n")
			for _, name := range s.MemberOrder {
				m.writeMember(w, s, name)
			}
			w.printf("},")
		}
		w.printf("},\n")
	}
	w.printf("}\n\n")
}

func (m *model) writeElement(w *writer, field string, r *reference) {
	w.printf("%s: awsapi.Element{Shape: %d,", field, m.ids[r.Shape])
	w.field("Name", r.LocationName)
	w.printf("},")
}

func writeRange(w *writer, s *shape) {
	if s.Min == nil && s.Max == nil {
		return
	}
	w.printf("Range: &awsapi.Range{")
	if s.Min != nil {
		w.printf("Min: %v, HasMin: true,", *s.Min)
	}
	if s.Max != nil {
		w.printf("Max: %v, HasMax: true,", *s.Max)
	}
	w.printf("},")
}

func (m *model) writeMember(w *writer, s *shape, name string) {
	r := s.Members[name]
	w.printf("{")
	w.field("Name", name)
	w.printf("Shape: %d,", m.ids[r.Shape])
	w.field("Wire", r.LocationName)
	w.field("QueryName", r.QueryName)
	if l := locations[r.Location]; l != "" {
		w.printf("Location: awsapi.%s,", l)
	}
	w.field("Required", s.required(name))
	w.field("Flattened", r.Flattened)
	w.field("XMLAttribute", r.XMLAttribute)
	w.field("XMLNamespace", r.XMLNamespace.URI)
	w.field("XMLPrefix", r.XMLNamespace.Prefix)
	w.field("IdempotencyToken", r.IdempotencyToken)
	w.field("JSONValue", r.JSONValue)
	w.field("Streaming", r.Streaming)
	w.field("EventPayload", r.EventPayload)
	w.field("EventHeader", r.EventHeader)
	w.field("HostLabel", r.HostLabel)
	w.field("TimestampFormat", r.TimestampFormat)
	w.printf("}, // %s\n", r.Shape)
}

func (m *model) writeOperations(w *writer) {
	w.printf("var operations = [...]awsapi.Operation{\n")
	for _, name := range m.bindings {
		o := m.Operations[name]
		w.printf("{")
		w.field("Name", name)
		w.field("Method", o.HTTP.Method)
		w.field("Path", o.HTTP.RequestURI)
		w.field("Status", o.HTTP.ResponseCode)
		w.field("Deprecated", o.Deprecated)
		w.printf("Input: %s, Output: %s,", m.shapeID(o.Input), m.shapeID(o.Output))
		if len(o.Errors) > 0 {
			ids := make([]string, len(o.Errors))
			for i := range o.Errors {
				ids[i] = m.shapeID(&o.Errors[i])
			}
			w.printf("Errors: []awsapi.ShapeID{%s},", strings.Join(ids, ", "))
		}
		if o.Output != nil {
			w.field("ResultWrapper", o.Output.ResultWrapper)
		}
		if o.Input != nil {
			w.field("InputXMLName", o.Input.LocationName)
			w.field("InputXMLNS", o.Input.XMLNamespace.URI)
		}
		w.field("Unsigned", strings.HasPrefix(o.AuthType, "none"))
		if c := o.HTTPChecksum; c != nil {
			w.printf("Checksum: &awsapi.Checksum{")
			w.field("RequestAlgorithmMember", c.RequestAlgorithmMember)
			w.field("RequestRequired", c.RequestChecksumRequired)
			w.field("RequestValidationModeField", c.RequestValidationModeMember)
			w.field("ResponseAlgorithms", c.ResponseAlgorithms)
			w.printf("},")
		}
		w.printf("\nNew: func() any { return new(%s) },\n", m.inputType(o))
		w.printf("Call: func(ctx context.Context, impl, in any) (any, error) { return impl.(API).%s(ctx, in.(*%s)) },\n",
			name, m.inputType(o))
		w.printf("Out: func() reflect.Type { return reflect.TypeFor[%s]() },\n},\n", m.outputType(o))
	}
	w.printf("}\n")
}

func (m *model) shapeID(r *reference) string {
	if r == nil {
		return "awsapi.NoShape"
	}
	return strconv.Itoa(m.ids[r.Shape])
}
