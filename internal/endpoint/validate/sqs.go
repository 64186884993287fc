package validate

import (
	"net/http"
	"strings"

	"cirro/internal/awsapi"
)

// sqs tells of the first parameter that is missing, and looks at all else itself: it takes names of attributes that its
// model does not list.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json,
// test_posting_to_fifo_requires_deduplicationid_group_id
var sqs = dialect{
	err:      &awsapi.ErrorType{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Status: http.StatusBadRequest},
	presence: true,
}

// absent is the error of a dialect that checks presence alone.
func (c *checker) absent() error {
	for _, f := range c.failures {
		if f.absent != "" {
			return c.dialect.err.New("The request must contain the parameter %s.", f.absent)
		}
	}
	return nil
}

// parameter names what a path leads to as forms do, without what stands between a list and its elements.
func (p *path) parameter() string {
	return strings.ReplaceAll(p.text(func(name string) string { return name }), ".member", "")
}
