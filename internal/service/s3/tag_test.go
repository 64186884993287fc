package s3

import (
	"errors"
	"fmt"
	"testing"

	"cirro/internal/awsapi"
)

func TestTagsOfHeader(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "[]",
		"a=1&b=x%20y":             "[{a 1} {b x y}]",
		"a":                       "[{a }]",
		"a=1&a=2":                 "InvalidArgument",
		"a=%zz":                   "InvalidArgument",
		"=1":                      "InvalidArgument",
		"aws:a=1":                 "InvalidTag",
		"a=%3C":                   "InvalidTag",
		"1&2&3&4&5&6&7&8&9&10&11": "BadRequest",
	} {
		tags, err := tagsOfHeader(text)
		got := fmt.Sprint(tags)
		if err != nil {
			got = codeOf(err)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzTagsOfHeader(f *testing.F) {
	f.Add("a=1&b=x%20y")
	f.Add("%&=&&")
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := tagsOfHeader(text)
		if err == nil && len(tags) > maxObjectTags {
			t.Errorf("%d tags", len(tags))
		}
	})
}

// codeOf is the code of an error of S3's.
func codeOf(err error) string {
	if known, ok := errors.AsType[*awsapi.Error](err); ok {
		return known.Type.Code
	}
	return err.Error()
}
