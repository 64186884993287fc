package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/service/s3/postpolicy"

	"github.com/google/uuid"
)

// FormSigner is who made a form, as the form says.
type FormSigner struct{ Algorithm, Credential, AccessKey, Token, Policy, Signature string }

// Forms takes uploads from forms of browsers: POST requests to a bucket whose body is multipart/form-data.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
type Forms struct {
	service *Service
	bucket  func(host string) string
	who     func(ctx context.Context, f FormSigner) (awsapi.Principal, string, error)
	verify  bool
}

// Forms takes uploads. bucket finds the one that a host names, "" for none; who finds out who made a form, and for which
// region. Where verify, a form without a policy is nobody's.
func (s *Service) Forms(bucket func(host string) string, who func(ctx context.Context, f FormSigner) (awsapi.Principal, string, error), verify bool) *Forms {
	return &Forms{s, bucket, who, verify}
}

// Match reports whether a request is an upload from a form.
func (f *Forms) Match(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") && f.bucketOf(r) != ""
}

// bucketOf is the bucket that a request names: in its host, or as its whole path.
func (f *Forms) bucketOf(r *http.Request) string {
	if r.URL.RawQuery != "" {
		return ""
	}
	name := strings.Trim(r.URL.Path, "/")
	if bucket := f.bucket(r.Host); bucket != "" {
		if name != "" {
			return ""
		}
		return bucket
	}
	if strings.Contains(name, "/") {
		return ""
	}
	return name
}

// ServeHTTP takes an upload.
func (f *Forms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("X-Amz-Request-Id", id)
	w.Header().Set("X-Amz-Id-2", extendedID(id))
	if err := f.take(w, r, id); err != nil {
		_, _ = io.CopyN(io.Discard, r.Body, 16<<20) // so that the browser comes to read the answer
		f.fail(w, id, err)
	}
}

// maxFields bounds what stands before the file, in bytes.
const maxFields = 20 << 10

// Errors of forms alone. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	fieldsTooLong   = &awsapi.ErrorType{Code: "MaxPostPreDataLengthExceeded", Status: http.StatusBadRequest}
	malformedPost   = &awsapi.ErrorType{Code: "MalformedPOSTRequest", Status: http.StatusBadRequest}
	invalidDocument = &awsapi.ErrorType{Code: "InvalidPolicyDocument", Status: http.StatusBadRequest}
)

// readFields reads the fields up to the file. Their names are in lower case.
func readFields(r *multipart.Reader) (fields map[string]string, file *multipart.Part, err error) {
	fields = map[string]string{}
	left := int64(maxFields)
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, nil, wrongArgument("file", "0", "POST requires exactly one file upload per request.")
		}
		if err != nil {
			return nil, nil, malformedPost.New("The body of your POST request is not well-formed multipart/form-data.")
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			return fields, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return nil, nil, malformedPost.New("The body of your POST request is not well-formed multipart/form-data.")
		}
		if left -= int64(len(value) + len(name)); left < 0 {
			return nil, nil, fieldsTooLong.New("Your POST request fields preceding the upload file were too large.").
				With("MaxPostPreDataLengthBytes", strconv.Itoa(maxFields))
		}
		fields[name] = string(value)
	}
}

func (f *Forms) take(w http.ResponseWriter, r *http.Request, id string) error {
	reader, err := r.MultipartReader()
	if err != nil {
		return malformedPost.New("The body of your POST request is not well-formed multipart/form-data.")
	}
	fields, file, err := readFields(reader)
	if err != nil {
		return err
	}
	key, ok := fields["key"]
	if !ok || key == "" {
		return wrongArgument("key", "", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
	}
	bucket := f.bucketOf(r)
	key = strings.ReplaceAll(key, "${filename}", path.Base("/"+strings.ReplaceAll(file.FileName(), `\`, "/")))
	q, limits, err := f.admit(r, id, bucket, fields)
	if err != nil {
		return err
	}
	in, err := putOf(bucket, key, fields)
	if err != nil {
		return err
	}
	in.Body = &sized{in: file, min: limits.Min, max: limits.Max}
	q.Input = in
	out, err := f.service.putObject(awsapi.WithRequest(r.Context(), q), in, "ObjectCreated:Post")
	if err != nil {
		return err
	}
	f.answer(w, r, bucket, key, fields, out)
	return nil
}

// admit finds out whose the form is, and whether it keeps to its policy.
func (f *Forms) admit(r *http.Request, id, bucket string, fields map[string]string) (*awsapi.Request, *postpolicy.Policy, error) {
	q := &awsapi.Request{ID: id, Region: defaultRegion, SourceIP: r.RemoteAddr, UserAgent: r.UserAgent(), Endpoint: "http://" + r.Host,
		Time: f.service.Clock(), TraceID: r.Header.Get("X-Amzn-Trace-Id")}
	if i := strings.LastIndexByte(q.SourceIP, ':'); i >= 0 {
		q.SourceIP = strings.Trim(q.SourceIP[:i], "[]")
	}
	text, signed := fields["policy"]
	if !signed {
		if !f.verify {
			q.Principal = awsapi.RootPrincipal(awsapi.DefaultAccount, "")
		}
		return q, &postpolicy.Policy{Max: -1}, nil
	}
	signer := FormSigner{Algorithm: fields["x-amz-algorithm"], Credential: fields["x-amz-credential"], AccessKey: fields["awsaccesskeyid"],
		Token: fields["x-amz-security-token"], Policy: text, Signature: fields["x-amz-signature"]}
	if signer.Credential == "" {
		signer.Signature = fields["signature"]
	}
	if signer.Signature == "" || signer.Credential == "" && signer.AccessKey == "" {
		missing := "X-Amz-Signature"
		if signer.Credential == "" {
			missing = "AWSAccessKeyId"
		}
		return nil, nil, wrongArgument(missing, "", "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", missing)
	}
	p, region, err := f.who(r.Context(), signer)
	if err != nil {
		return nil, nil, err
	}
	q.Principal = p
	if region != "" {
		q.Region = region
	}
	document, err := postpolicy.Parse(text)
	if err != nil {
		return nil, nil, invalidDocument.New("Invalid Policy: %s", err.Error())
	}
	fields["bucket"] = bucket
	if err := document.Check(fields, f.service.Clock()); err != nil {
		return nil, nil, accessDenied.New("Invalid according to Policy: %s", err.Error())
	}
	return q, document, nil
}

// sized is a file whose size must keep to a policy.
type sized struct {
	in       io.Reader
	min, max int64
	n        int64
}

func (f *sized) Read(b []byte) (int, error) {
	n, err := f.in.Read(b)
	f.n += int64(n)
	switch {
	case f.max >= 0 && f.n > f.max:
		return 0, entityTooLarge.New("Your proposed upload exceeds the maximum allowed size").
			With("ProposedSize", strconv.FormatInt(f.n, 10)).With("MaxSizeAllowed", strconv.FormatInt(f.max, 10))
	case err == io.EOF && f.n < f.min:
		return 0, entityTooSmall.New("Your proposed upload is smaller than the minimum allowed size").
			With("ProposedSize", strconv.FormatInt(f.n, 10)).With("MinSizeAllowed", strconv.FormatInt(f.min, 10))
	case err != nil && err != io.EOF:
		return 0, malformedPost.New("The body of your POST request is not well-formed multipart/form-data.")
	}
	return n, err
}

// putOf is the request that a form's fields stand for.
func putOf(bucket, key string, fields map[string]string) (*api.PutObjectRequest, error) {
	in := &api.PutObjectRequest{Bucket: &bucket, Key: &key}
	for field, to := range map[string]**string{
		"acl": &in.ACL, "cache-control": &in.CacheControl, "content-type": &in.ContentType, "content-disposition": &in.ContentDisposition,
		"content-encoding": &in.ContentEncoding, "content-language": &in.ContentLanguage,
		"x-amz-storage-class": &in.StorageClass, "x-amz-website-redirect-location": &in.WebsiteRedirectLocation,
		"x-amz-server-side-encryption": &in.ServerSideEncryption, "x-amz-server-side-encryption-aws-kms-key-id": &in.SSEKMSKeyId,
		"x-amz-server-side-encryption-customer-algorithm": &in.SSECustomerAlgorithm, "x-amz-server-side-encryption-customer-key": &in.SSECustomerKey,
		"x-amz-server-side-encryption-customer-key-md5": &in.SSECustomerKeyMD5,
		"x-amz-object-lock-mode":                        &in.ObjectLockMode, "x-amz-object-lock-legal-hold": &in.ObjectLockLegalHoldStatus,
		"x-amz-checksum-crc32": &in.ChecksumCRC32, "x-amz-checksum-crc32c": &in.ChecksumCRC32C, "x-amz-checksum-crc64nvme": &in.ChecksumCRC64NVME,
		"x-amz-checksum-sha1": &in.ChecksumSHA1, "x-amz-checksum-sha256": &in.ChecksumSHA256,
	} {
		if value, ok := fields[field]; ok {
			*to = &value
		}
	}
	if value, ok := fields["x-amz-object-lock-retain-until-date"]; ok {
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return nil, wrongArgument("x-amz-object-lock-retain-until-date", value, "The retain until date must be provided in ISO 8601 format")
		}
		in.ObjectLockRetainUntilDate = &t
	}
	if t, err := http.ParseTime(fields["expires"]); err == nil {
		in.Expires = &t
	}
	for field, value := range fields {
		if name, ok := strings.CutPrefix(field, "x-amz-meta-"); ok {
			if in.Metadata == nil {
				in.Metadata = map[string]string{}
			}
			in.Metadata[name] = value
		}
	}
	if document, ok := fields["tagging"]; ok {
		text, err := taggingOf(document)
		if err != nil {
			return nil, err
		}
		in.Tagging = &text
	}
	return in, nil
}

// taggingOf reads the XML that a form's tags are in, as the header that a request has instead.
func taggingOf(document string) (string, error) {
	var t struct {
		XMLName xml.Name                      `xml:"Tagging"`
		Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal([]byte(document), &t); err != nil {
		return "", badXML()
	}
	var parts []string
	for _, tag := range t.Tags {
		parts = append(parts, url.QueryEscape(tag.Key)+"="+url.QueryEscape(tag.Value))
	}
	return strings.Join(parts, "&"), nil
}

// answer says that the object is there: by a redirection, or with the status that the form asks for.
func (f *Forms) answer(w http.ResponseWriter, r *http.Request, bucket, key string, fields map[string]string, out *api.PutObjectOutput) {
	h, etag := w.Header(), awsapi.Val(out.ETag)
	h.Set("ETag", etag)
	if out.VersionId != nil {
		h.Set("X-Amz-Version-Id", *out.VersionId)
	}
	h.Set("X-Amz-Server-Side-Encryption", awsapi.Val(out.ServerSideEncryption))
	to := fields["success_action_redirect"]
	if to == "" {
		to = fields["redirect"]
	}
	if u, err := url.Parse(to); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		query := "bucket=" + url.QueryEscape(bucket) + "&key=" + url.QueryEscape(key) + "&etag=" + url.QueryEscape(etag)
		if u.RawQuery != "" {
			query = u.RawQuery + "&" + query
		}
		u.RawQuery = query
		h.Set("Location", u.String())
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	location := "http://" + r.Host + "/"
	if f.bucket(r.Host) == "" {
		location += bucket + "/"
	}
	location += escapePath(key)
	h.Set("Location", location)
	switch fields["success_action_status"] {
	case "200":
		w.WriteHeader(http.StatusOK)
	case "201":
		body, _ := xml.Marshal(struct {
			XMLName                     xml.Name `xml:"PostResponse"`
			Location, Bucket, Key, ETag string
		}{Location: location, Bucket: bucket, Key: key, ETag: etag})
		h.Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, xml.Header+string(body))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// fail answers with an error as S3 writes it.
func (f *Forms) fail(w http.ResponseWriter, id string, err error) {
	known, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		f.service.Log.Error("s3: a form could not be taken", "request", id, "error", err)
		known = awsapi.InternalFailure.New("We encountered an internal error. Please try again.")
	}
	code := known.Type.Code
	if own := frontDoorCodes[code]; own != "" {
		code = own
	}
	var b strings.Builder
	element := func(name, value string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(value))
		b.WriteString("</" + name + ">")
	}
	b.WriteString(xml.Header + "<Error>")
	element("Code", code)
	element("Message", known.Message)
	for _, name := range slices.Sorted(maps.Keys(known.Fields)) {
		if value, ok := known.Fields[name].(string); ok {
			element(name, value)
		}
	}
	element("RequestId", id)
	element("HostId", extendedID(id))
	b.WriteString("</Error>")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(known.Type.Status)
	_, _ = io.WriteString(w, b.String())
}

// frontDoorCodes are S3's names for what the front door says of signatures.
var frontDoorCodes = map[string]string{"InvalidSignatureException": "SignatureDoesNotMatch", "UnrecognizedClientException": "InvalidAccessKeyId",
	"ExpiredTokenException": "ExpiredToken", "InternalFailure": "InternalError"}
