package eventsource

import (
	"slices"
	"testing"
)

// Answers as in https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
var answers = map[string]struct {
	answer string
	failed []string
	whole  bool
}{
	"nothing":            {``, nil, false},
	"null":               {`null`, nil, false},
	"empty string":       {`""`, nil, false},
	"empty object":       {`{}`, nil, false},
	"no failures":        {`{"batchItemFailures":[]}`, nil, false},
	"null failures":      {`{"batchItemFailures":null}`, nil, false},
	"other members":      {`{"ok":1}`, nil, false},
	"one":                {`{"batchItemFailures":[{"itemIdentifier":"b"}]}`, []string{"b"}, false},
	"all":                {`{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a","more":1}]}`, []string{"b", "a"}, false},
	"empty identifier":   {`{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, true},
	"null identifier":    {`{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, true},
	"no identifier":      {`{"batchItemFailures":[{}]}`, nil, true},
	"other key":          {`{"batchItemFailures":[{"foo":"a"}]}`, nil, true},
	"null item":          {`{"batchItemFailures":[null]}`, nil, true},
	"unknown identifier": {`{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}`, nil, true},
	"number identifier":  {`{"batchItemFailures":[{"itemIdentifier":1}]}`, nil, true},
	"no list":            {`{"batchItemFailures":{"itemIdentifier":"a"}}`, nil, true},
	"text":               {`"done"`, nil, true},
	"list":               {`[]`, nil, true},
	"no JSON":            {`{"batchItemFailures":`, nil, true},
}

func TestFailures(t *testing.T) {
	b := &Batch{Records: []Record{{ID: "a"}, {ID: "b"}}}
	for name, c := range answers {
		failed, err := Failures([]byte(c.answer), b)
		if (err != nil) != c.whole || !slices.Equal(failed, c.failed) {
			t.Errorf("%s: %v, %v", name, failed, err)
		}
	}
}

func FuzzFailures(f *testing.F) {
	for _, c := range answers {
		f.Add([]byte(c.answer))
	}
	b := &Batch{Records: []Record{{ID: "a"}, {ID: "b"}}}
	f.Fuzz(func(t *testing.T, answer []byte) {
		failed, err := Failures(answer, b)
		for _, id := range failed {
			if err != nil || id != "a" && id != "b" {
				t.Fatalf("%q: %v, %v", answer, failed, err)
			}
		}
	})
}
