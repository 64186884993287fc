package s3

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// description is what a request that makes an object says of it in headers.
type description struct {
	ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Redirect *string

	Expires  *time.Time
	Metadata map[string]string
}

// defaultType is the content type of objects whose makers name none.
const defaultType = "binary/octet-stream"

// maxMetadata is how long names and values of a user's metadata may be together.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxMetadata = 2 << 10

// describe sets in a version what a request says of it.
func (d *description) describe(v *version) error {
	v.ContentType = awsapi.Val(d.ContentType)
	v.Headers = v.Headers[:0:0]
	for _, h := range []struct {
		name  string
		value *string
	}{{cacheControl, d.CacheControl}, {contentDisposition, d.ContentDisposition}, {contentEncoding, d.ContentEncoding},
		{contentLanguage, d.ContentLanguage}, {websiteRedirect, d.Redirect}} {
		if h.value != nil && *h.value != "" {
			v.Headers = append(v.Headers, pair{h.name, *h.value})
		}
	}
	if d.Redirect != nil && !strings.HasPrefix(*d.Redirect, "/") && !strings.HasPrefix(*d.Redirect, "http://") && !strings.HasPrefix(*d.Redirect, "https://") {
		return invalidRedirect.New("The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
	}
	if d.Expires != nil {
		v.Headers = append(v.Headers, pair{expires, d.Expires.UTC().Format(http.TimeFormat)})
	}
	v.Metadata = v.Metadata[:0:0]
	size := 0
	for name, value := range d.Metadata {
		v.Metadata = append(v.Metadata, pair{name, value})
		size += len(name) + len(value)
	}
	if size > maxMetadata {
		return metadataTooLarge.New("Your metadata headers exceed the maximum allowed metadata size").
			With("Size", itoa(size)).With("MaxSizeAllowed", itoa(maxMetadata))
	}
	slices.SortFunc(v.Metadata, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

var invalidRedirect = &awsapi.ErrorType{Code: "InvalidRedirectLocation", Status: http.StatusBadRequest}

// classes are the storage classes that objects can be put in.
var classes = []string{api.StorageClassStandard, api.StorageClassReducedRedundancy, api.StorageClassStandardIa, api.StorageClassOnezoneIa,
	api.StorageClassIntelligentTiering, api.StorageClassGlacier, api.StorageClassDeepArchive, api.StorageClassGlacierIr}

// storageClass checks a storage class, and returns it as it is kept: "" for STANDARD.
func storageClass(class *string) (string, error) {
	switch {
	case class == nil || *class == "" || *class == api.StorageClassStandard:
		return "", nil
	case !slices.Contains(classes, *class):
		return "", invalidStorageClass.New("The storage class you specified is not valid").With("StorageClassRequested", *class)
	}
	return *class, nil
}

// class is a version's storage class where lists tell it.
func (v *version) class() *string {
	if v.Class == "" {
		return new(api.StorageClassStandard)
	}
	return &v.Class
}

// maxObjectKey is how long a key may be, in bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const maxObjectKey = 1024

// checkKey checks the key of an object that is to be made.
func checkKey(key string) error {
	if len(key) > maxObjectKey {
		return keyTooLong.New("Your key is too long").With("Size", itoa(len(key))).With("MaxSizeAllowed", itoa(maxObjectKey))
	}
	if !utf8.ValidString(key) {
		return invalidURI.New("Couldn't parse the specified URI.")
	}
	return nil
}

// metadata is a version's user metadata as it is answered.
func (v *version) metadata() map[string]string {
	if len(v.Metadata) == 0 {
		return nil
	}
	m := make(map[string]string, len(v.Metadata))
	for _, p := range v.Metadata {
		m[p.Name] = p.Value
	}
	return m
}

// encryption is how an object is encrypted, as it is answered: by S3's own key unless it is said otherwise.
func (v *version) encryption() *string {
	switch {
	case v.Customer.MD5 != "":
		return nil
	case v.Encryption == "":
		return new(api.ServerSideEncryptionAes256)
	}
	return &v.Encryption
}

func (v *version) kmsKey() *string     { return optional(v.KMSKey) }
func (v *version) kmsContext() *string { return optional(v.KMSContext) }

func (v *version) bucketKey() *bool {
	if !v.BucketKey {
		return nil
	}
	return &v.BucketKey
}

// optional is a text, nil for none.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
