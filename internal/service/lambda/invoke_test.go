package lambda

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

func TestInvoke(t *testing.T) {
	var got sandbox.Invocation
	var spec sandbox.Spec
	s := newStage(t, func(ctx context.Context, sp *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		got, spec = *inv, *sp
		return echo(ctx, sp, inv)
	}, func(d *Deps) {
		d.Credentials = func(_ context.Context, account, role, session string) sandbox.Credentials {
			return sandbox.Credentials{AccessKeyID: account, SecretAccessKey: role, SessionToken: session}
		}
	})
	s.function("f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"VAL": "b"}}
		in.Timeout = new(int32(7))
	})
	out, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"a": 1}`), LogType: new("Tail"),
		ClientContext: new(base64.StdEncoding.EncodeToString([]byte(`{"custom":{}}`)))})
	if err != nil {
		t.Fatal(err)
	}
	if *out.StatusCode != 200 || string(out.Payload) != `{"a": 1}` || *out.ExecutedVersion != "$LATEST" || out.FunctionError != nil {
		t.Errorf("answer: %+v", out)
	}
	if b, _ := base64.StdEncoding.DecodeString(*out.LogResult); string(b) != "START\nEND\n" {
		t.Errorf("log: %q", b)
	}
	if got.RequestID != awsapi.RequestOf(s.ctx).ID || got.InvokedARN != "arn:aws:lambda:us-east-1:000000000000:function:f" ||
		got.ClientContext != `{"custom":{}}` || !got.TailLog || !strings.HasPrefix(got.TraceID, "Root=1-") {
		t.Errorf("invocation: %+v", got)
	}
	if spec.ARN != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" || spec.Environment["VAL"] != "b" || spec.Timeout.Seconds() != 7 ||
		spec.Memory != 128 || spec.Tmp != 512 || spec.LogGroup != "/aws/lambda/f" || spec.Code == "" || spec.InitializationType != "on-demand" {
		t.Errorf("spec: %+v", spec)
	}
	if c := spec.Credentials(); c != (sandbox.Credentials{AccessKeyID: "000000000000", SecretAccessKey: "arn:aws:iam::000000000000:role/r", SessionToken: "f"}) {
		t.Errorf("credentials: %+v", c)
	}

	out, err = s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("DryRun")})
	if err != nil || *out.StatusCode != 204 || out.ExecutedVersion != nil {
		t.Errorf("dry run: %+v, %v", out, err)
	}
}

func TestInvokeResults(t *testing.T) {
	results := map[string]*sandbox.Result{
		`"failed"`: {Payload: []byte(`{"errorMessage":"no"}`), FunctionError: "Unhandled"},
		`"large"`:  {Payload: make([]byte, maxResponse)},
		`"larger"`: {Payload: make([]byte, maxResponse+1)},
	}
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		if r := results[string(inv.Payload)]; r != nil {
			return r, nil
		}
		return nil, errors.New("out of order")
	})
	s.function("f")
	out, err := s.invoke("f", `"failed"`)
	if err != nil || *out.FunctionError != "Unhandled" || string(out.Payload) != `{"errorMessage":"no"}` {
		t.Errorf("failed: %+v, %v", out, err)
	}
	if out, err = s.invoke("f", `"large"`); err != nil || out.FunctionError != nil {
		t.Errorf("large: %v", err)
	}
	out, err = s.invoke("f", `"larger"`)
	if err != nil || *out.FunctionError != "Unhandled" || string(out.Payload) != `{"errorMessage":"Response payload size exceeded `+
		`maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}` {
		t.Errorf("larger: %.200s, %v", out.Payload, err)
	}
	if _, err = s.invoke("f", `1`); !errors.Is(err, api.ServiceException) || strings.Contains(err.Error(), "out of order") {
		t.Errorf("the platform's own failure: %v", err)
	}
}

func TestInvokeRefuses(t *testing.T) {
	s := newStage(t, echo)
	s.function("f")
	for _, c := range []struct {
		name, qualifier string
		kind            *awsapi.ErrorType
		message         string
	}{
		{"none", "", api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none:$LATEST"},
		{"f", "7", api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7"},
		{"f:live", "", api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live"},
		{"f:1", "2", api.InvalidParameterValueException, "The derived qualifier from the function name does not match the specified qualifier."},
	} {
		for kind, err := range map[string]error{
			"Invoke": func() error {
				_, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: &c.name, Qualifier: &c.qualifier})
				return err
			}(),
			"Event": func() error {
				_, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: &c.name, Qualifier: &c.qualifier, InvocationType: new("Event")})
				return err
			}(),
			"stream": func() error {
				_, err := s.InvokeWithResponseStream(s.ctx, &api.InvokeWithResponseStreamRequest{FunctionName: &c.name, Qualifier: &c.qualifier})
				return err
			}(),
		} {
			var e *awsapi.Error
			if !errors.As(err, &e) || !errors.Is(e, c.kind) || e.Message != c.message || e.Fields["Type"] != "User" {
				t.Errorf("%s %s %s: %v", kind, c.name, c.qualifier, err)
			}
		}
	}
}

// What a function was is kept between invocations: each change must be seen by the next.
func TestInvokeSeesChanges(t *testing.T) {
	s := newStage(t, func(_ context.Context, spec *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: []byte(spec.Environment["VAL"] + " " + spec.Version)}, nil
	})
	s.function("f")
	want := func(name, answer string) {
		t.Helper()
		out, err := s.invoke(name, "{}")
		if err != nil || string(out.Payload) != answer || !strings.HasSuffix(answer, *out.ExecutedVersion) {
			t.Errorf("%s: %+v, %v; want %s", name, out, err, answer)
		}
	}
	configure := func(value string) {
		t.Helper()
		if _, err := s.UpdateFunctionConfiguration(s.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"),
			Environment: &api.Environment{Variables: map[string]string{"VAL": value}}}); err != nil {
			t.Fatal(err)
		}
		s.active("f")
	}
	publish := func() {
		t.Helper()
		if _, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f")}); err != nil {
			t.Fatal(err)
		}
	}
	want("f", " $LATEST")
	for _, v := range []string{"one", "two", "three"} {
		configure(v)
		want("f", v+" $LATEST")
		want("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", v+" $LATEST")
		publish()
	}
	s.eventually("version 3", func() bool { _, err := s.invoke("f:3", ""); return err == nil })
	want("f:1", "one 1")
	want("f:3", "three 3")
	if _, err := s.CreateAlias(s.ctx, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}); err != nil {
		t.Fatal(err)
	}
	want("f:live", "one 1")
	if _, err := s.UpdateAlias(s.ctx, &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("2")}); err != nil {
		t.Fatal(err)
	}
	want("f:live", "two 2")
	if _, err := s.DeleteFunction(s.ctx, &api.DeleteFunctionRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "f:1", "f:live"} {
		if _, err := s.invoke(name, "{}"); !errors.Is(err, api.ResourceNotFoundException) {
			t.Errorf("%s after its deletion: %v", name, err)
		}
	}
	s.function("f")
	want("f", " $LATEST")
}

// An invocation that begins after a change was acknowledged runs what was changed, or something newer.
func TestInvokeHistories(t *testing.T) {
	s := newStage(t, func(_ context.Context, spec *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: []byte(spec.Environment["VAL"])}, nil
	})
	s.function("f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"VAL": "0"}}
	})
	var acknowledged atomic.Int64
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				atLeast := acknowledged.Load()
				out, err := s.invoke("f", "{}")
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := strconv.ParseInt(string(out.Payload), 10, 64); err != nil || got < atLeast {
					t.Errorf("ran %q after change %d", out.Payload, atLeast)
					return
				}
			}
		})
	}
	for i := range 50 {
		if _, err := s.UpdateFunctionConfiguration(s.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"),
			Environment: &api.Environment{Variables: map[string]string{"VAL": strconv.Itoa(i + 1)}}}); err != nil {
			t.Fatal(err)
		}
		acknowledged.Store(int64(i + 1))
		s.active("f")
	}
	close(done)
	readers.Wait()
}

func TestInvokeWeightedAlias(t *testing.T) {
	s := newStage(t, echo)
	s.function("f")
	for _, d := range []string{"a", "b"} {
		if _, err := s.UpdateFunctionConfiguration(s.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Description: &d}); err != nil {
			t.Fatal(err)
		}
		s.active("f")
		if _, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateAlias(s.ctx, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1"),
		RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}}}); err != nil {
		t.Fatal(err)
	}
	s.eventually("both versions", func() bool {
		_, one := s.invoke("f:1", "")
		_, two := s.invoke("f:2", "")
		return one == nil && two == nil
	})
	const n = 4000
	count := map[string]int{}
	for range n {
		out, err := s.invoke("f:live", "{}")
		if err != nil {
			t.Fatal(err)
		}
		count[*out.ExecutedVersion]++
	}
	if two := count["2"]; count["1"]+two != n || two < n/5 || two > n*3/10 { // seven standard deviations
		t.Errorf("invocations by version: %v", count)
	}
}

var regexpTrace = regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01];Lineage=[0-9]+:[0-9a-f]+:[0-9]+$`)

func TestTrace(t *testing.T) {
	now := time.Now()
	r := &route{lineageID: lineageID("arn"), main: &executable{version: &version{Tracing: api.TracingModeActive}}}
	fresh := r.trace(now, "")
	if !regexpTrace.MatchString(fresh) || !strings.Contains(fresh, ";Sampled=1;") {
		t.Errorf("fresh: %s", fresh)
	}
	kept := r.trace(now, "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=0;Lineage=2:"+r.lineageID+":1")
	if !regexpTrace.MatchString(kept) || !strings.HasPrefix(kept, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=") ||
		strings.Contains(kept, "53995c3f42cd8ad8") || !strings.HasSuffix(kept, ";Sampled=0;Lineage=3:"+r.lineageID+":2") {
		t.Errorf("kept: %s", kept)
	}
}
