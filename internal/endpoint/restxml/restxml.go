// Package restxml speaks restXml.
//
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
package restxml

import (
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/markup"
	"cirro/internal/endpoint/rest"
	"cirro/internal/endpoint/stream"
	"cirro/internal/endpoint/wire"
)

// ContentType is an XML body's.
const ContentType = "application/xml"

// HostID is what S3 names the host that answered by, in errors and in the header X-Amz-Id-2.
const HostID = "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234="

const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// Protocol is restXml.
type Protocol struct{}

var _ wire.Protocol = Protocol{}

// Decode reads path, query string, headers and body.
func (Protocol) Decode(x *wire.Exchange, in any) error {
	v := reflect.ValueOf(in).Elem()
	plan := x.Operation.InputPlan()
	if err := rest.Bind(x, v); err != nil {
		return err
	}
	f := plan.PayloadField()
	switch {
	case f == nil && plan.BodyMembers() == 0:
		return nil
	case x.Stream != nil && f != nil:
		f.Set(v).Set(reflect.ValueOf(x.Stream))
		return nil
	case len(x.Body) == 0:
		return nil
	case f != nil && f.Plan.Kind == awsapi.Blob:
		f.Set(v).SetBytes(x.Body)
		return nil
	case f != nil && f.Plan.Kind == awsapi.String:
		f.Set(v).SetString(string(x.Body))
		return nil
	}
	root, err := markup.Parse(x.Body)
	if err != nil || root == nil {
		return err
	}
	if f != nil {
		return markup.Decode(root, f.Plan, f.Set(v))
	}
	return markup.Decode(root, plan, v)
}

// Encode writes status, headers and body.
func (Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	plan := x.Operation.OutputPlan()
	v := reflect.ValueOf(out).Elem()
	status := rest.Head(w.Header(), x, plan, v)
	if f := plan.StreamField(); f != nil {
		return stream.New(w, x.Service.Plans, payload, "text/xml").Run(f, v, nil)
	}
	if f := plan.PayloadField(); f != nil {
		return encodePayload(w, x, status, f, v)
	}
	if x.HTTP.Method == http.MethodHead && w.Header()["Content-Length"] != nil {
		w.WriteHeader(status) // the length is that of another method's reply
		return nil
	}
	if plan.BodyMembers() == 0 {
		return wire.Send(w, status, "", nil)
	}
	name := plan.XMLName
	namespace := plan.XMLNamespace
	if x.Service.ID == "S3" {
		name, namespace = roots[x.Operation.Name], s3Namespace
	}
	if name == "" {
		name = plan.Name
	}
	if namespace == "" {
		namespace = x.Service.XMLNamespace
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = append(b.B, declaration...)
	if f := unwrapped(x, plan); f != nil {
		text, _ := f.Get(v)
		b.B = markup.Open(b.B, f.WireName(), "", namespace)
		if text.Kind() == reflect.String {
			b.B = markup.AppendEscaped(b.B, text.String())
		}
		b.B = markup.Close(b.B, f.WireName())
		return wire.Send(w, status, ContentType, b.B)
	}
	b.B = markup.Open(b.B, name, "", namespace)
	b.B = markup.AppendMembers(b.B, plan, v)
	b.B = markup.Close(b.B, name)
	return wire.Send(w, status, ContentType, b.B)
}

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// roots are the names that S3's documents have, of which its model knows few.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
var roots = map[string]string{
	"CompleteMultipartUpload": "CompleteMultipartUploadResult", "CopyObject": "CopyObjectResult", "CreateMultipartUpload": "InitiateMultipartUploadResult",
	"DeleteObjects": "DeleteResult", "GetBucketAccelerateConfiguration": "AccelerateConfiguration", "GetBucketAcl": "AccessControlPolicy",
	"GetBucketCors": "CORSConfiguration", "GetBucketLifecycle": "LifecycleConfiguration", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
	"GetBucketLogging": "BucketLoggingStatus", "GetBucketNotificationConfiguration": "NotificationConfiguration",
	"GetBucketRequestPayment": "RequestPaymentConfiguration", "GetBucketTagging": "Tagging", "GetBucketVersioning": "VersioningConfiguration",
	"GetBucketWebsite": "WebsiteConfiguration", "GetObjectAcl": "AccessControlPolicy", "GetObjectAttributes": "GetObjectAttributesResponse",
	"GetObjectTagging": "Tagging", "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
	"ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsResult",
	"ListBucketInventoryConfigurations":          "ListInventoryConfigurationsResult", "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
	"ListBuckets": "ListAllMyBucketsResult", "ListMultipartUploads": "ListMultipartUploadsResult", "ListObjectVersions": "ListVersionsResult",
	"ListObjects": "ListBucketResult", "ListObjectsV2": "ListBucketResult", "ListParts": "ListPartsResult",
	"UploadPartCopy": "CopyPartResult",
}

// unwrapped is the only member of the one output that is not in an element of its own.
// https://smithy.io/2.0/aws/customizations/s3-customizations.html#aws-customizations-s3unwrappedxmloutput-trait
func unwrapped(x *wire.Exchange, plan *wire.Plan) *wire.Field {
	if x.Service.ID != "S3" || x.Operation.Name != "GetBucketLocation" {
		return nil
	}
	return plan.Field("LocationConstraint")
}

func payload(p *wire.Plan, v reflect.Value) []byte {
	return markup.Append(nil, p.Name, p, v)
}

func encodePayload(w http.ResponseWriter, x *wire.Exchange, status int, f *wire.Field, out reflect.Value) error {
	h := w.Header()
	value, ok := f.Get(out)
	contentType := ""
	if _, set := h["Content-Type"]; !set && ok {
		contentType = ContentType
		if f.Plan.Kind == awsapi.Blob {
			contentType = "binary/octet-stream"
		}
	}
	switch {
	case !ok:
		return wire.Send(w, status, contentType, nil)
	case f.Plan.Kind == awsapi.Blob && f.Plan.Type.Kind() == reflect.Interface:
		if contentType != "" {
			h["Content-Type"] = []string{contentType}
		}
		return rest.Stream(w, status, value.Interface().(io.Reader))
	case f.Plan.Kind == awsapi.Blob:
		return wire.Send(w, status, contentType, value.Bytes())
	case f.Plan.Kind == awsapi.String:
		return wire.Send(w, status, contentType, []byte(value.String()))
	}
	name := f.Plan.XMLName
	if name == "" {
		name = f.WireName()
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = append(b.B, declaration...)
	b.B = markup.Append(b.B, name, f.Plan, value)
	return wire.Send(w, status, contentType, b.B)
}

// EncodeError writes S3's bare <Error>, or the <ErrorResponse> of all others.
func (Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	if x.Service != nil && x.Service.ID == "S3" {
		encodeBare(w, x, err)
		return
	}
	EncodeError(w, x, err, ContentType)
}

// codes are S3's names for errors of all services.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var codes = map[string]string{
	"ExpiredTokenException":               "ExpiredToken",
	"IncompleteSignatureException":        "AuthorizationHeaderMalformed",
	"InternalFailure":                     "InternalError",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"MissingAuthenticationTokenException": "AccessDenied",
	"RequestEntityTooLargeException":      "EntityTooLarge",
	"SerializationException":              "InvalidArgument",
	"UnrecognizedClientException":         "InvalidAccessKeyId",
	"ValidationException":                 "InvalidArgument",
}

func encodeBare(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	if code := codes[err.Type.Code]; code != "" {
		t := *err.Type
		t.Code = code
		err = &awsapi.Error{Type: &t, Message: err.Message, Fields: err.Fields, Header: err.Header}
	}
	rest.ErrorHead(w.Header(), x.Service, err)
	for name, value := range err.Header {
		w.Header()[name] = []string{rest.Clean(value)}
	}
	switch {
	case err.Type.Status == http.StatusNotModified:
		_ = wire.Send(w, err.Type.Status, "", nil)
		return
	case x.HTTP.Method == http.MethodHead:
		_ = wire.Send(w, err.Type.Status, ContentType, nil)
		return
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = append(b.B, declaration+"<Error>"...)
	b.B = markup.AppendError(b.B, x.Service, err)
	b.B = appendFurther(b.B, x.Service, err)
	b.B = markup.Text(b.B, "RequestId", x.ID)
	b.B = markup.Text(b.B, "HostId", HostID)
	b.B = append(b.B, "</Error>"...)
	_ = wire.Send(w, err.Type.Status, ContentType, b.B)
}

// appendFurther appends the fields that S3 tells and its model does not know: BucketName, Key, Expires.
func appendFurther(dst []byte, service *wire.Service, err *awsapi.Error) []byte {
	shape := service.ExceptionShape(err.Type)
	for _, name := range slices.Sorted(maps.Keys(err.Fields)) {
		value, ok := err.Fields[name].(string)
		known := shape != nil && slices.ContainsFunc(shape.Members, func(m awsapi.Member) bool { return m.Name == name })
		if ok && !known {
			dst = markup.Text(dst, name, value)
		}
	}
	return dst
}

// EncodeError writes an <ErrorResponse>, as query does too.
func EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error, contentType string) {
	fault, namespace := "Sender", ""
	if err.Type.Server {
		fault = "Receiver"
	}
	if x.Service != nil {
		namespace = x.Service.XMLNamespace
		rest.ErrorHead(w.Header(), x.Service, err)
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = markup.Open(b.B, "ErrorResponse", "", namespace)
	b.B = append(b.B, "<Error>"...)
	b.B = markup.Text(b.B, "Type", fault)
	b.B = markup.AppendError(b.B, x.Service, err)
	b.B = append(b.B, "</Error>"...)
	b.B = markup.Text(b.B, "RequestId", x.ID)
	b.B = append(b.B, "</ErrorResponse>"...)
	_ = wire.Send(w, err.Type.Status, contentType, b.B)
}
