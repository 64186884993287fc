package s3

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// How many tags a bucket and an object may have.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxBucketTags = 50
	maxObjectTags = 10
)

var (
	invalidTag = &awsapi.ErrorType{Code: "InvalidTag", Status: http.StatusBadRequest}
	badRequest = &awsapi.ErrorType{Code: "BadRequest", Status: http.StatusBadRequest}
	tagText    = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// tagsOf checks the tags of a request.
func tagsOf(t *api.Tagging, most int) ([]pair, error) {
	if t == nil || t.TagSet == nil {
		return nil, badXML()
	}
	tags := make([]pair, len(t.TagSet))
	for i, tag := range t.TagSet {
		if tag.Key == nil || tag.Value == nil {
			return nil, badXML()
		}
		tags[i] = pair{*tag.Key, *tag.Value}
	}
	return tags, checkTags(tags, most)
}

func checkTags(tags []pair, most int) error {
	if len(tags) > most {
		if most == maxObjectTags {
			return badRequest.New("Object tags cannot be greater than 10")
		}
		return badRequest.New("Bucket tag count cannot be greater than 50")
	}
	for i, t := range tags {
		switch n := utf8.RuneCountInString(t.Name); {
		case n == 0 || n > 128 || !tagText.MatchString(t.Name):
			return invalidTag.New("The TagKey you have provided is invalid").With("TagKey", t.Name)
		case utf8.RuneCountInString(t.Value) > 256 || !tagText.MatchString(t.Value):
			return invalidTag.New("The TagValue you have provided is invalid").With("TagKey", t.Name).With("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Name), "aws:") && most == maxObjectTags:
			return invalidTag.New("Your TagKey cannot be prefixed with aws:").With("TagKey", t.Name)
		case strings.HasPrefix(strings.ToLower(t.Name), "aws:"):
			return invalidTag.New("System tags cannot be added/updated by requester")
		case slices.ContainsFunc(tags[:i], func(o pair) bool { return o.Name == t.Name }):
			return invalidTag.New("Cannot provide multiple Tags with the same key").With("TagKey", t.Name)
		}
	}
	return nil
}

// tagsOfHeader reads tags from the header x-amz-tagging: a=b&c=d.
func tagsOfHeader(text string) ([]pair, error) {
	refusal := wrongArgument("x-amz-tagging", text, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "+
		"parameters without tag name duplicates.")
	var tags []pair
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		repeated := slices.ContainsFunc(tags, func(o pair) bool { return o.Name == name })
		if err1 != nil || err2 != nil || name == "" || repeated {
			return nil, refusal
		}
		tags = append(tags, pair{name, value})
	}
	return tags, checkTags(tags, maxObjectTags)
}

// tagSet is tags as S3 tells them: in the order of their keys.
func tagSet(tags []pair) []api.Tag {
	out := make([]api.Tag, len(tags))
	for i, t := range tags {
		out[i] = api.Tag{Key: new(t.Name), Value: new(t.Value)}
	}
	return out
}
