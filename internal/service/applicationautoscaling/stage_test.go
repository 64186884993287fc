package applicationautoscaling

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// stage is the service over a real store, with a clock and a Lambda that the test plays. Turns are taken
// by the test, so that nothing happens by itself.
type stage struct {
	*Service
	t      *testing.T
	store  store.Store
	lambda *lambda
	clock  *standing.Clock
	ctx    context.Context
}

// lambda is a Caller with the provisioned concurrency of one alias, and the Meter of its use.
type lambda struct {
	mu       sync.Mutex
	missing  bool
	capacity int32
	status   string
	refuse   error
	asked    []int32 // what it was set to

	sum     float64
	samples uint64
}

func (l *lambda) Call(_ context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if service != "lambda" || p.Account != "000000000000" {
		return nil, errors.New("called " + service + " as " + p.Account)
	}
	if l.missing {
		return nil, lambdaapi.ResourceNotFoundException.New("Cannot find alias arn: …")
	}
	switch in := in.(type) {
	case *lambdaapi.GetProvisionedConcurrencyConfigRequest:
		if *in.FunctionName != "f" || *in.Qualifier != "live" {
			return nil, errors.New("asked for " + *in.FunctionName)
		}
		if l.capacity == 0 {
			return nil, lambdaapi.ProvisionedConcurrencyConfigNotFoundException.New("No Provisioned Concurrency Config found for this function")
		}
		return &lambdaapi.GetProvisionedConcurrencyConfigResponse{RequestedProvisionedConcurrentExecutions: new(l.capacity),
			Status: new(l.status), StatusReason: new("FUNCTION_ERROR_INIT_FAILURE")}, nil
	case *lambdaapi.PutProvisionedConcurrencyConfigRequest:
		if l.refuse != nil {
			return nil, l.refuse
		}
		l.capacity = *in.ProvisionedConcurrentExecutions
		l.asked = append(l.asked, l.capacity)
		return &lambdaapi.PutProvisionedConcurrencyConfigResponse{}, nil
	case *lambdaapi.DeleteProvisionedConcurrencyConfigRequest:
		l.capacity = 0
		l.asked = append(l.asked, 0)
		return &lambdaapi.DeleteProvisionedConcurrencyConfigOutput{}, nil
	}
	return nil, errors.New("called " + operation)
}

func (l *lambda) ProvisionedUtilization(_, _, _, _ string) (float64, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sum, l.samples
}

// use adds samples of a utilisation.
func (l *lambda) use(value float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum, l.samples = l.sum+10*value, l.samples+10
}

func (l *lambda) set(capacity int32, status string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.capacity, l.status = capacity, status
}

func (l *lambda) has() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.capacity
}

func newStage(t *testing.T) *stage {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := &stage{t: t, store: st, lambda: &lambda{status: "READY"}, clock: standing.At(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)),
		ctx: awsapi.WithRequest(context.Background(), &awsapi.Request{Region: "us-east-1",
			Principal: awsapi.Principal{Account: "000000000000", ARN: "arn:aws:iam::000000000000:root"}})}
	s.restart()
	return s
}

// restart makes the service anew over the same store, as after a stop.
func (s *stage) restart() {
	s.Service = New(Deps{Store: s.store, Caller: s.lambda, Meter: s.lambda, Clock: s.clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.t.Cleanup(func() { s.Close() })
}

var (
	namespace  = new("lambda")
	resourceID = new("function:f:live")
	dimension  = new("lambda:function:ProvisionedConcurrency")
)

func (s *stage) register(low, high int32) string {
	s.t.Helper()
	out, err := s.RegisterScalableTarget(s.ctx, &api.RegisterScalableTargetRequest{ServiceNamespace: namespace, ResourceId: resourceID,
		ScalableDimension: dimension, MinCapacity: &low, MaxCapacity: &high})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.ScalableTargetARN
}

func (s *stage) suspend(state api.SuspendedState) {
	s.t.Helper()
	_, err := s.RegisterScalableTarget(s.ctx, &api.RegisterScalableTargetRequest{ServiceNamespace: namespace, ResourceId: resourceID,
		ScalableDimension: dimension, SuspendedState: &state})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) putPolicy(change func(*api.PutScalingPolicyRequest)) (*api.PutScalingPolicyResponse, error) {
	in := &api.PutScalingPolicyRequest{PolicyName: new("p"), ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension,
		PolicyType: new("TargetTrackingScaling"),
		TargetTrackingScalingPolicyConfiguration: &api.TargetTrackingScalingPolicyConfiguration{TargetValue: new(0.7),
			PredefinedMetricSpecification: &api.PredefinedMetricSpecification{PredefinedMetricType: new("LambdaProvisionedConcurrencyUtilization")}}}
	if change != nil {
		change(in)
	}
	return s.PutScalingPolicy(s.ctx, in)
}

func (s *stage) putAction(change func(*api.PutScheduledActionRequest)) error {
	in := &api.PutScheduledActionRequest{ScheduledActionName: new("a"), ServiceNamespace: namespace, ResourceId: resourceID,
		ScalableDimension: dimension, Schedule: new("at(2026-03-04T11:00:00)"),
		ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: new(int32(4)), MaxCapacity: new(int32(8))}}
	if change != nil {
		change(in)
	}
	_, err := s.PutScheduledAction(s.ctx, in)
	return err
}

// turns takes turns until nothing is due now.
func (s *stage) turns() time.Time {
	s.t.Helper()
	for range 10 {
		if next := s.turn(s.ctx); next.IsZero() || next.After(s.clock.Now()) {
			return next
		}
	}
	s.t.Fatal("something is due again and again")
	panic("unreachable")
}

// minutes lets so many periods pass, each with a utilisation, or without any use where that is negative.
func (s *stage) minutes(n int, utilisation float64) {
	s.t.Helper()
	for range n {
		if utilisation >= 0 {
			s.lambda.use(utilisation)
		}
		s.clock.Add(time.Minute)
		s.turns()
	}
}

func (s *stage) activities(notScaled bool) []api.ScalingActivity {
	s.t.Helper()
	out, err := s.DescribeScalingActivities(s.ctx, &api.DescribeScalingActivitiesRequest{ServiceNamespace: namespace,
		ResourceId: resourceID, IncludeNotScaledActivities: &notScaled})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.ScalingActivities
}

// wantError checks an error's type and message.
func wantError(t *testing.T, err error, kind *awsapi.ErrorType, message string) {
	t.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Message != message {
		t.Errorf("got  %v\nwant %s: %s", err, kind.Code, message)
	}
}
