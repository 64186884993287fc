package query

import (
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/markup"
	"cirro/internal/endpoint/restxml"
	"cirro/internal/endpoint/wire"
)

// ContentType is a reply's.
const ContentType = "text/xml"

// Protocol is awsQuery.
type Protocol struct{}

var _ wire.Protocol = Protocol{}

// Decode reads the form.
func (Protocol) Decode(x *wire.Exchange, in any) error {
	return Decode(x.Form, x.Operation.InputPlan(), reflect.ValueOf(in).Elem())
}

// Encode wraps the output in the elements named after the operation.
func (Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	name := x.Operation.Name + "Response"
	b := wire.NewBuffer()
	defer b.Free()
	b.B = markup.Open(b.B, name, "", x.Service.XMLNamespace)
	if x.Operation.Output != awsapi.NoShape {
		wrapper := x.Operation.ResultWrapper
		if wrapper == "" {
			wrapper = x.Operation.Name + "Result"
		}
		b.B = markup.Open(b.B, wrapper, "", "")
		b.B = markup.AppendMembers(b.B, x.Operation.OutputPlan(), reflect.ValueOf(out).Elem())
		b.B = markup.Close(b.B, wrapper)
	}
	b.B = append(b.B, "<ResponseMetadata>"...)
	b.B = markup.Text(b.B, "RequestId", x.ID)
	b.B = append(b.B, "</ResponseMetadata>"...)
	b.B = markup.Close(b.B, name)
	return wire.Send(w, http.StatusOK, ContentType, b.B)
}

// codes are the names that the query protocol has for errors of all services.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var codes = map[string]string{
	"ValidationException":                 "ValidationError",
	"AccessDeniedException":               "AccessDenied",
	"UnrecognizedClientException":         "InvalidClientTokenId",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"ExpiredTokenException":               "ExpiredToken",
	"IncompleteSignatureException":        "IncompleteSignature",
	"MissingAuthenticationTokenException": "MissingAuthenticationToken",
	"UnknownOperationException":           "InvalidAction",
	"SerializationException":              "MalformedInput",
}

// EncodeError writes an <ErrorResponse>.
func (Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	if code := codes[err.Type.Code]; code != "" && (err.Type == awsapi.ValidationException || x.Service.ExceptionShape(err.Type) == nil) {
		t := *err.Type
		t.Code = code
		err = &awsapi.Error{Type: &t, Message: err.Message, Fields: err.Fields}
	} else if err.Type.QueryCode != "" {
		t := *err.Type
		t.Code = t.QueryCode
		err = &awsapi.Error{Type: &t, Message: err.Message, Fields: err.Fields}
	}
	restxml.EncodeError(w, x, err, ContentType)
}
