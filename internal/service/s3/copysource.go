package s3

import (
	"net/url"
	"strings"
)

// copySource is what a copy is made of.
type copySource struct {
	Bucket, Key string
	VersionID   *string // nil for the current version
}

// parseCopySource reads an x-amz-copy-source header: "bucket/key?versionId=id", escaped as in a URL, with or without a slash
// before it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func parseCopySource(header string) (copySource, error) {
	path, id, versioned := strings.Cut(header, "?versionId=")
	path, err := url.PathUnescape(path)
	if err != nil {
		return copySource{}, badSource(header, "Invalid copy source encoding.")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case !ok || bucket == "":
		return copySource{}, badSource(header, "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	case key == "":
		return copySource{}, badSource(header, "Invalid copy source object key")
	case strings.HasPrefix(bucket, "arn:"):
		return copySource{}, badSource(header, "Cirro has no access points to copy from")
	}
	c := copySource{Bucket: bucket, Key: key}
	if versioned {
		if id, err = url.QueryUnescape(id); err != nil || id == "" {
			return copySource{}, badSource(header, "Version id cannot be the empty string")
		}
		c.VersionID = &id
	}
	return c, nil
}

func badSource(header, message string) error {
	return invalidArgument.New("%s", message).With("ArgumentName", "x-amz-copy-source").With("ArgumentValue", header)
}
