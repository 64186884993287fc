package eventbridge

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/standing"
)

const (
	others    = "111111111111"
	strangers = "222222222222"
)

// TestFailures tries again what fails in passing, gives up what does not, and holds up nothing else.
func TestFailures(t *testing.T) {
	s := newStage(t).run()
	dead := &api.DeadLetterConfig{Arn: queue("dead").Arn}
	busy := awsapi.InternalFailure.New("busy")
	s.board.fails["retried"] = []error{busy, errors.New("a bug"), busy}
	s.board.fails["exhausted"] = []error{busy, busy, busy}
	s.board.fails["gone"] = []error{sqsapi.QueueDoesNotExist.New("no such queue")}
	s.board.fails["once"] = []error{busy}
	of := func(name string, retries int32) api.Target {
		target := queue(name)
		target.DeadLetterConfig, target.RetryPolicy = dead, &api.RetryPolicy{MaximumRetryAttempts: &retries}
		return target
	}
	s.rule(s.ctx(), "default", "r", `{"source": ["app"]}`, of("retried", 5), of("exhausted", 2), of("gone", 5), of("once", 0), queue("fine"))
	s.put(s.ctx(), "default", "{}")
	got := map[string]letter{}
	for range 5 {
		l := <-s.board.came
		key := l.queue
		if key == "dead" {
			key = l.attributes["TARGET_ARN"]
		}
		got[key] = l
	}
	for name, want := range map[string]string{
		"exhausted": "INTERNAL_ERROR busy 2 MaximumRetryAttempts",
		"gone":      "NO_RESOURCE no such queue 0 ",
		"once":      "INTERNAL_ERROR busy 0 MaximumRetryAttempts",
	} {
		a := got[*queue(name).Arn].attributes
		if found := fmt.Sprint(a["ERROR_CODE"], " ", a["ERROR_MESSAGE"], " ", a["RETRY_ATTEMPTS"], " ", a["EXHAUSTED_RETRY_CONDITION"]); found != want {
			t.Errorf("%s: %q, not %q", name, found, want)
		}
	}
	if got["fine"].as.Service != "events.amazonaws.com" || got["fine"].as.SourceARN != "arn:aws:events:us-east-1:000000000000:rule/r" || got["fine"].trace != "Root=1-2" {
		t.Errorf("%+v", got["fine"])
	}
	if got["retried"].body != got["fine"].body {
		t.Errorf("%+v", got["retried"])
	}
}

// TestAge gives up what is too old, whatever the number of attempts.
func TestAge(t *testing.T) {
	s := newStage(t)
	target := queue("q")
	target.RetryPolicy = &api.RetryPolicy{MaximumEventAgeInSeconds: new(int32(60))}
	a := &attempt{parcel: &parcel{}, target: &target, err: errors.New("down")}
	for _, c := range []struct {
		seconds float64
		tried   int
		want    string
	}{{0.001, 1, ""}, {0.001, 185, ""}, {0.001, 186, "MaximumRetryAttempts"}, {0.01, 2, "MaximumEventAgeInSeconds"}} { // a minute is 6 ms here
		condition, over := s.exhausted(a, seconds(c.seconds), c.tried)
		if condition != c.want || over != (c.want != "") {
			t.Errorf("after %v s and %d attempts %q %v", c.seconds, c.tried, condition, over)
		}
	}
}

// TestHops passes events on from bus to bus: to a second account and Region, not to a third.
func TestHops(t *testing.T) {
	s := newStage(t).run()
	here, there, yonder := s.ctx(), s.as(others, "us-east-1"), s.as(strangers, "us-east-1")
	second, third := s.bus(there, "second"), s.bus(yonder, "third")
	for _, b := range []struct{ account, bus string }{{others, second}, {strangers, third}} {
		must[*api.PutPermissionOutput](t)(s.PutPermission(s.as(b.account, "us-east-1"), &api.PutPermissionRequest{EventBusName: &b.bus, Principal: new("*"),
			Action: new("events:PutEvents"), StatementId: new("all")}))
	}
	dead := &api.DeadLetterConfig{Arn: queue("dead").Arn}
	s.rule(here, "default", "on", `{"source": ["app"]}`, api.Target{Arn: &second})
	s.rule(there, "second", "on", `{"source": ["app"]}`, api.Target{Arn: &third, DeadLetterConfig: dead}, queue("second"))
	s.rule(yonder, "third", "on", `{"source": ["app"]}`, queue("third"))
	id := s.put(here, "default", `{"n":1}`)
	for range 2 {
		switch l := <-s.board.came; l.queue {
		case "second":
			if detailOf(t, l.body) != `{"n":1}` || l.as.Account != others {
				t.Errorf("%+v", l)
			}
		case "dead":
			if l.attributes["ERROR_CODE"] != "THIRD_ACCOUNT_HOP_DETECTED" {
				t.Errorf("%+v", l)
			}
		default:
			t.Errorf("%+v of event %s", l, id)
		}
	}
	// A bus that does not admit the account takes nothing.
	must[*api.RemovePermissionOutput](t)(s.RemovePermission(there, &api.RemovePermissionRequest{EventBusName: &second, RemoveAllPermissions: new(true)}))
	s.rule(here, "default", "on", `{"source": ["app"]}`, api.Target{Arn: &second, DeadLetterConfig: dead})
	s.put(here, "default", `{"n":2}`)
	if l := <-s.board.came; l.queue != "dead" || l.attributes["ERROR_CODE"] != "NO_RESOURCE" {
		t.Errorf("%+v", l)
	}
}

// TestRulesAreSeenAtOnce has two processes over one store: an event that one of them takes after the other has
// answered about a rule meets that rule.
func TestRulesAreSeenAtOnce(t *testing.T) {
	s := newStage(t)
	other := stageOver(t, s.Store, standing.At(start))
	for i := range 20 {
		s.rule(s.ctx(), "default", "r", fmt.Sprintf(`{"detail": {"n": [%d]}}`, i), queue("q"))
		other.put(other.ctx(), "default", fmt.Sprintf(`{"n": %d}`, i))
		if got := names(s.waiting(freshQueue)); got != "r@05:06:30" {
			t.Fatalf("rule %d: %q", i, got)
		}
	}
	must[*api.DisableRuleOutput](t)(s.DisableRule(s.ctx(), &api.DisableRuleRequest{Name: new("r")}))
	other.put(other.ctx(), "default", `{"n": 19}`)
	if got := s.waiting(freshQueue); got != nil {
		t.Errorf("a rule that is disabled gets %q", names(got))
	}
}

// TestManyAtOnce puts events from many sides while rules change: each that was acknowledged comes once.
func TestManyAtOnce(t *testing.T) {
	s := newStage(t).run()
	s.rule(s.ctx(), "default", "r", `{"source": ["app"]}`, queue("q"))
	const senders, each = 8, 20
	var done sync.WaitGroup
	for i := range senders {
		done.Go(func() {
			for j := range each {
				s.put(s.ctx(), "default", fmt.Sprintf(`{"n":%d}`, i*each+j))
			}
		})
	}
	done.Go(func() {
		for i := range 20 {
			s.rule(s.ctx(), "default", fmt.Sprint("other", i), `{"source": ["other"]}`, queue("other"))
		}
	})
	got := map[string]int{}
	for range senders * each {
		got[detailOf(t, (<-s.board.came).body)]++
	}
	done.Wait()
	if len(got) != senders*each {
		t.Errorf("%d different events came", len(got))
	}
}

// TestOthersAreLeftAlone names resources of another account in all the ways there are: none is found.
func TestOthersAreLeftAlone(t *testing.T) {
	s := newStage(t)
	theirs := s.as(others, "us-east-1")
	bus := s.bus(theirs, "b")
	s.rule(theirs, "b", "r", `{"source": ["app"]}`)
	rule := busRef{place{others, "us-east-1"}, "b"}.ruleARN("r")
	for name, call := range map[string]func() error{
		"PutRule": func() error {
			_, err := s.PutRule(s.ctx(), &api.PutRuleRequest{Name: new("r"), EventBusName: &bus, EventPattern: new(`{"source": ["x"]}`)})
			return err
		},
		"PutTargets": func() error {
			q := queue("q")
			q.Id = new("a")
			_, err := s.PutTargets(s.ctx(), &api.PutTargetsRequest{Rule: new("r"), EventBusName: &bus, Targets: []api.Target{q}})
			return err
		},
		"ListRules": func() error { _, err := s.ListRules(s.ctx(), &api.ListRulesRequest{EventBusName: &bus}); return err },
		"PutPermission": func() error {
			_, err := s.PutPermission(s.ctx(), &api.PutPermissionRequest{EventBusName: &bus, Principal: new("*"), Action: new("events:PutEvents"), StatementId: new("s")})
			return err
		},
		"TagResource": func() error {
			_, err := s.TagResource(s.ctx(), &api.TagResourceRequest{ResourceARN: &rule, Tags: []api.Tag{{Key: new("a"), Value: new("b")}}})
			return err
		},
		"ListTagsForResource": func() error {
			_, err := s.ListTagsForResource(s.ctx(), &api.ListTagsForResourceRequest{ResourceARN: &bus})
			return err
		},
		"CreateArchive": func() error {
			_, err := s.CreateArchive(s.ctx(), &api.CreateArchiveRequest{ArchiveName: new("a"), EventSourceArn: &bus})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s of another account's is carried out", name)
		}
	}
	if out, err := s.DescribeRule(theirs, &api.DescribeRuleRequest{Name: new("r"), EventBusName: new("b")}); err != nil || *out.EventPattern != `{"source": ["app"]}` {
		t.Error(out, err)
	}
}
