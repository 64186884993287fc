package lambda

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"cirro/internal/alarm"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/courier"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// The queues of what is to be done for executions of durable functions: to invoke their functions, to go on because a
// time has come or something ended, and to invoke the functions that they invoke.
const (
	durableInvocations = "durable/invocations"
	durableSteps       = "durable/steps"
	durableCalls       = "durable/calls"
	stepsAtOnce        = 64
)

// durables are the executions of durable functions.
type durables struct {
	store store.Store // without watching for changes of functions: nothing of them is written
	*alarm.Alarms
	stepping keyedMutex // by the id of an execution, so that its steps seldom meet
}

func (s *Service) openDurables() {
	s.durables.store = s.watched.Store
	s.durables.Alarms = (&alarm.Alarms{Store: s.durables.store, Owner: "durable", Clock: s.Clock, Ring: ringDurable, Log: s.Log}).Init()
}

// startDurables has executions go on until ctx ends.
func (s *Service) startDurables() {
	s.background(s.durables.Run)
	for _, q := range []courier.Courier{
		{Queue: durableInvocations, AtOnce: s.Concurrency, Handle: s.runInvocation},
		{Queue: durableSteps, AtOnce: stepsAtOnce, Handle: s.takeStep},
		{Queue: durableCalls, AtOnce: s.Concurrency, Handle: s.runCall},
	} {
		q.Store, q.Log = s.durables.store, s.Log
		s.background(q.Run)
	}
}

// errNoExecution is the answer for an execution that is not, or no longer, there.
var errNoExecution = errors.New("lambda: no such durable execution")

// message is what the queues hold.
type message struct {
	Execution string
	// Operation is the chained invocation that is to be made; in a step, the one that Child has come to the end of.
	Operation int    `json:",omitempty"`
	Child     string `json:",omitempty"`
	Concluded bool   `json:",omitempty"` // the outcome is to go where the function's settings say
}

func (m message) enqueue(tx store.Tx, queue string, after time.Duration) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = tx.Enqueue(queue, store.NewMessage{Body: b, Delay: after})
	return err
}

// ringDurable has an execution looked at.
func ringDurable(tx store.Tx, id string, _ time.Time) (time.Time, error) {
	return time.Time{}, message{Execution: id}.enqueue(tx, durableSteps, 0)
}

// stepDurable changes an execution, in one transaction.
func (s *Service) stepDurable(ctx context.Context, id string, f func(store.Tx, *durable.Step) error) error {
	defer s.durables.stepping.lock(id)()
	err := s.durables.store.Update(ctx, func(tx store.Tx) error { return s.stepDurableIn(tx, id, f) })
	s.durables.Poke()
	return err
}

func (s *Service) stepDurableIn(tx store.Tx, id string, f func(store.Tx, *durable.Step) error) error {
	x, found, err := store.GetRecord[durable.Execution](tx, executionKey(id))
	if err != nil {
		return err
	}
	if !found {
		return errNoExecution
	}
	st := s.durableStep(tx, &x)
	if err := f(tx, st); err != nil {
		return err
	}
	return s.settleDurable(tx, st)
}

func (s *Service) durableStep(tx store.Tx, x *durable.Execution) *durable.Step {
	st := &durable.Step{Execution: x, Ledger: ledger{tx, tx, x.ID}, Now: s.Clock().UTC().Truncate(time.Millisecond),
		CallbackID: func(n int) string { return s.callbackID(x.ID, n) }}
	if s.RetryScale != 1 {
		st.Scale = func(d time.Duration) time.Duration { return time.Duration(float64(d) * s.RetryScale) }
	}
	return st
}

// settleDurable writes what came of a step, and has done what follows.
func (s *Service) settleDurable(tx store.Tx, st *durable.Step) error {
	var next time.Time
	var err error
	if st.Running() {
		if next, err = nextDue(tx, st.ID); err != nil {
			return err
		}
		if next.IsZero() || st.Deadline.Before(next) {
			next = st.Deadline
		}
	} else {
		next = st.End.AddDate(0, 0, st.Retention)
	}
	if !next.Equal(st.Alarm) {
		st.Alarm = next
		if err := s.durables.Set(tx, st.ID, next); err != nil {
			return err
		}
	}
	if st.Invoke {
		if err := (message{Execution: st.ID}).enqueue(tx, durableInvocations, st.After); err != nil {
			return err
		}
	}
	if st.Ended {
		if err := s.endDurable(tx, st); err != nil {
			return err
		}
	}
	return store.SetRecord(tx, executionKey(st.ID), *st.Execution)
}

// endDurable tells whoever waits for the end of an execution.
func (s *Service) endDurable(tx store.Tx, st *durable.Step) error {
	if st.Result != nil {
		if err := tx.Set(outputKey(st.ID), []byte(*st.Result)); err != nil {
			return err
		}
	}
	if st.Awaited {
		if err := tx.Append(endedKey(st.ID), []byte{}); err != nil {
			return err
		}
	}
	if p := st.Parent; p != nil {
		if err := (message{Execution: p.Execution, Operation: p.Operation, Child: st.ID}).enqueue(tx, durableSteps, 0); err != nil {
			return err
		}
	}
	if st.Detached {
		return message{Execution: st.ID, Concluded: true}.enqueue(tx, durableSteps, 0)
	}
	return nil
}

// beginDurable writes a new execution.
func (s *Service) beginDurable(tx store.Tx, x *durable.Execution, input []byte) error {
	st := s.durableStep(tx, x)
	if err := tx.Set(inputKey(x.ID), input); err != nil {
		return err
	}
	if err := st.Begin(); err != nil {
		return err
	}
	if err := tx.Set(executionOfKey(x), []byte{}); err != nil {
		return err
	}
	if err := tx.Set(executionNameKey(x), []byte(x.ID)); err != nil {
		return err
	}
	return s.settleDurable(tx, st)
}

// newExecution is one of a version that is durable.
func newExecution(e *executable, qualifier, name string) *durable.Execution {
	if name == "" {
		name = uuid.NewString()
	}
	return &durable.Execution{ID: uuid.NewString(), Account: e.Account, Region: e.Region, Function: e.Function, Version: e.Number,
		Qualifier: qualifier, Name: name, Timeout: e.Durable.Timeout, Retention: e.Durable.Retention, Limit: durable.MostPayload}
}

// executionARN is what names an execution.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html
var executionARN = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]+:(?:\$LATEST(?:\.PUBLISHED)?|[0-9]+)` +
	`/durable-execution/[a-zA-Z0-9_-]+/([a-zA-Z0-9_-]+)$`)

// executionID is that of the execution that an ARN names, if there is one.
func executionID(arn string) string {
	if m := executionARN.FindStringSubmatch(arn); m != nil {
		return m[1]
	}
	return ""
}

// execution reads the one that a request names.
func execution(ctx context.Context, r store.Reader, arn string) (*durable.Execution, error) {
	x, found, err := store.GetRecord[durable.Execution](r, executionKey(executionID(arn)))
	if err != nil {
		return nil, err
	}
	if !found || x.ARN() != arn || x.Account != awsapi.RequestOf(ctx).Account() {
		return nil, noExecution()
	}
	return &x, nil
}

func noExecution() error { return notFound("Durable Execution does not exist") }

// sealed is text that names an execution and something in it, under a MAC: nobody can make one up.
func (s *Service) sealed(kind, id string, n int64, more string) string {
	b := binary.AppendVarint(nil, n)
	b = append(append(append(b, id...), 0), more...)
	return base64.StdEncoding.EncodeToString(append(s.seal(kind, b), b...))
}

// unsealed is what such a text names.
func (s *Service) unsealed(kind, text string) (id string, n int64, more string, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < sealSize || !hmac.Equal(b[:sealSize], s.seal(kind, b[sealSize:])) {
		return "", 0, "", false
	}
	n, size := binary.Varint(b[sealSize:])
	b = b[sealSize+max(0, size):]
	for i := range b {
		if b[i] == 0 {
			return string(b[:i]), n, string(b[i+1:]), true
		}
	}
	return "", 0, "", false
}

const sealSize = 16

func (s *Service) seal(kind string, b []byte) []byte {
	mac := hmac.New(sha256.New, s.signing)
	mac.Write([]byte("durable/" + kind + "\n"))
	mac.Write(b)
	return mac.Sum(nil)[:sealSize]
}

// refusal turns what is wrong with a request into AWS's error.
func refusal(err error) error {
	var r durable.Refusal
	if errors.As(err, &r) {
		return api.InvalidParameterValueException.New("%s", string(r)).With("Type", "User")
	}
	return err
}
