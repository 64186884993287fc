package eventsource

import (
	"encoding/json"
	"fmt"
)

// Failures reads which records of a batch a function reports as failed, where it may report them. An answer
// that is malformed, or names what is not in the batch, is an error: then the whole batch failed.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
func Failures(answer []byte, b *Batch) ([]string, error) {
	var report struct {
		Failures *[]*struct {
			Item *json.RawMessage `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(answer) == 0 || json.Unmarshal(answer, new(map[string]json.RawMessage)) != nil {
		return nil, emptyOrInvalid(answer)
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return nil, fmt.Errorf("eventsource: the report of failed items cannot be read: %w", err)
	}
	if report.Failures == nil {
		return nil, nil
	}
	known := make(map[string]bool, len(b.Records))
	for i := range b.Records {
		known[b.Records[i].ID] = true
	}
	var failed []string
	for _, f := range *report.Failures {
		var id string
		if f == nil || f.Item == nil || json.Unmarshal(*f.Item, &id) != nil || id == "" {
			return nil, fmt.Errorf("eventsource: the report of failed items has an entry without itemIdentifier")
		}
		if !known[id] {
			return nil, fmt.Errorf("eventsource: the report of failed items names %q, which is not in the batch", id)
		}
		failed = append(failed, id)
	}
	return failed, nil
}

// emptyOrInvalid judges an answer that is no object: one without content stands for success.
func emptyOrInvalid(answer []byte) error {
	var v any
	if len(answer) == 0 || json.Unmarshal(answer, &v) == nil && (v == nil || v == "") {
		return nil
	}
	return fmt.Errorf("eventsource: the report of failed items is no object")
}
