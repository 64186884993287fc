package eventbridge

import (
	"errors"
	"testing"

	"cirro/internal/store"
)

// TestAnnounce puts events in a service's transactions: they come with those, and only where somebody wants them.
func TestAnnounce(t *testing.T) {
	s := newStage(t)
	asked := 0
	announce := func(source string, then error) {
		t.Helper()
		err := s.Store.Update(t.Context(), func(tx store.Tx) error {
			err := s.Announce(tx, Announcement{Account: "000000000000", Region: "us-east-1", Source: source, DetailType: "T", Resources: []string{"arn:x"},
				Detail: func() ([]byte, error) { asked++; return []byte(`{"status":"RUNNING"}`), nil }})
			return errors.Join(err, then)
		})
		if !errors.Is(err, then) {
			t.Fatal(err)
		}
	}
	announce("aws.states", nil)
	if asked != 0 || len(s.waiting(freshQueue)) != 0 {
		t.Error("nobody wants anything, and something was made")
	}
	s.rule(s.ctx(), "default", "mine", `{"source":["aws.states"],"detail":{"status":["RUNNING"]}}`, queue("q"))
	announce("aws.other", nil)
	announce("aws.states", errors.New("the transaction fails"))
	if n := len(s.waiting(freshQueue)); n != 0 {
		t.Error("there are", n)
	}
	announce("aws.states", nil)
	got := s.waiting(freshQueue)
	if len(got) != 1 || string(got[0].event) != `{"version":"0","id":"`+got[0].ID+`","detail-type":"T","source":"aws.states","account":"000000000000","time":"`+
		got[0].Time.UTC().Format(timeForm)+`","region":"us-east-1","resources":["arn:x"],"detail":{"status":"RUNNING"}}` {
		t.Errorf("came %v", got)
	}
}
