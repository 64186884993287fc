package sns

import (
	"testing"
	"time"
)

// TestDelays follows the phases of policies.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
func TestDelays(t *testing.T) {
	of := func(text string) *retryPolicy {
		d, err := parseSubscriptionDelivery(`{"healthyRetryPolicy":` + text + `}`)
		if err != nil {
			t.Fatal(err)
		}
		return d.Retry
	}
	for _, c := range []struct {
		policy *retryPolicy
		want   []float64 // seconds
	}{
		{&httpRetries, []float64{20, 20, 20}},
		{of(`{"numRetries":0}`), nil},
		{of(`{"numRetries":7,"numNoDelayRetries":2,"minDelayTarget":10,"numMinDelayRetries":1,"maxDelayTarget":30,"numMaxDelayRetries":1}`),
			[]float64{0, 0, 10, 10, 20, 30, 30}},
		{of(`{"numRetries":4,"minDelayTarget":1,"maxDelayTarget":1000,"backoffFunction":"geometric"}`), []float64{1, 10, 100, 1000}},
		{of(`{"numRetries":5,"minDelayTarget":2,"maxDelayTarget":20,"backoffFunction":"exponential"}`), []float64{2, 4, 8, 16, 20}},
		{of(`{"numRetries":1,"minDelayTarget":2,"maxDelayTarget":20,"backoffFunction":"arithmetic"}`), []float64{2}},
	} {
		for i, want := range c.want {
			if got, ok := c.policy.after(i + 1); !ok || got.Round(time.Millisecond) != time.Duration(want*float64(time.Second)) {
				t.Errorf("%+v: retry %d after %v, not %v s", c.policy, i+1, got, want)
			}
		}
		if _, ok := c.policy.after(len(c.want) + 1); ok {
			t.Errorf("%+v: more than %d retries", c.policy, len(c.want))
		}
	}
	total := time.Duration(0)
	for retry := 1; ; retry++ {
		d, ok := ownRetries.after(retry)
		if !ok {
			if retry != 100_016 {
				t.Errorf("%d retries", retry-1)
			}
			break
		}
		total += d
	}
	if days := total.Hours() / 24; days < 23 || days > 23.5 {
		t.Errorf("queues and functions are tried for %.1f days", days)
	}
}

// TestShownPolicies has what AWS shows of policies, recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns.snapshot.json
func TestShownPolicies(t *testing.T) {
	for set, want := range map[string]string{
		`{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}`:                    `{"http":{"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"application/json"}}}`,
		`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1}}}`: `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}`,
		`{"http":{"defaultHealthyRetryPolicy":null}}`:                                                   `{"http":{"disableSubscriptionOverrides":false}}`,
		`{}`: ``, `null`: ``, ``: ``,
	} {
		topic := topic{Attributes: map[string]string{}}
		if err := topic.setAttribute("DeliveryPolicy", set, false); err != nil {
			t.Fatal(err)
		}
		if got := topic.Attributes["DeliveryPolicy"]; got != want {
			t.Errorf("%s: %s, not %s", set, got, want)
		}
	}
	sub := subscription{Protocol: protocolHTTP, Attributes: map[string]string{}}
	if err := sub.setAttribute("DeliveryPolicy", `{"requestPolicy":{"headerContentType":"text/csv"}}`, false); err != nil {
		t.Fatal(err)
	}
	a := sub.attributes(&topic{})
	if want := `{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}`; a["DeliveryPolicy"] != want {
		t.Error(a["DeliveryPolicy"])
	}
	if want := `{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,` +
		`"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},` +
		`"guaranteed":false}`; a["EffectiveDeliveryPolicy"] != want {
		t.Error(a["EffectiveDeliveryPolicy"])
	}
}

func TestDeliveryPoliciesAreRefused(t *testing.T) {
	for _, bad := range []string{`{`, `{"unknown":1}`, `{"healthyRetryPolicy":{"numRetries":101}}`, `{"healthyRetryPolicy":{"minDelayTarget":21}}`,
		`{"healthyRetryPolicy":{"maxDelayTarget":3601}}`, `{"healthyRetryPolicy":{"numNoDelayRetries":4}}`,
		`{"healthyRetryPolicy":{"numMinDelayRetries":-1}}`, `{"healthyRetryPolicy":{"backoffFunction":"none"}}`, `{"throttlePolicy":{"maxReceivesPerSecond":0}}`} {
		if _, err := parseSubscriptionDelivery(bad); err == nil {
			t.Error(bad)
		}
	}
}
