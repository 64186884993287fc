package states

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// named is an execution by its name.
type named struct {
	ID      string
	Started time.Time
	By      string `json:",omitempty"` // the token of the task that began it
}

// beginnerKey is where a context has the token of the task that calls.
type beginnerKey struct{}

// keepFor is how long an execution's name is taken after its end.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
const keepFor = 90 * 24 * time.Hour

func nameKey(at scope, machine, name string) []byte {
	return store.Key("states", "name", at.Account, at.Region, machine, name)
}

// StartExecution begins an execution. Begun again with the same name and input while it runs, it is the same.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
func (s *Service) StartExecution(ctx context.Context, in *api.StartExecutionInput) (*api.StartExecutionOutput, error) {
	return s.start(ctx, in, nil, nil)
}

// start begins an execution; parent, where there is one, is told of its end, and what then writes is written with it.
func (s *Service) start(ctx context.Context, in *api.StartExecutionInput, parent *engine.Parent, then func(store.Tx, *api.StartExecutionOutput) error) (
	*api.StartExecutionOutput, error,
) {
	input, err := inputOf(in.Input)
	if err != nil {
		return nil, err
	}
	var out *api.StartExecutionOutput
	run, res, err := s.runOf(*in.StateMachineArn, in.Name)
	if err != nil {
		return nil, err
	}
	run.Trace, run.Parent = awsapi.Val(in.TraceHeader), parent
	by, _ := ctx.Value(beginnerKey{}).(string)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		c, err := choose(tx, res, anyRoute)
		if err != nil {
			return err
		}
		if c.Type == api.StateMachineTypeExpress {
			return errExpress
		}
		known, found, err := store.GetRecord[named](tx, nameKey(res.scope, c.machine.Name, run.Name))
		if err != nil {
			return err
		}
		if found, err = s.taken(tx, known, found); err != nil {
			return err
		}
		if found && by != "" && known.By == by { // the task is performed again, after a crash
			out = &api.StartExecutionOutput{ExecutionArn: &run.ARN, StartDate: &known.Started}
			return nil
		}
		if found {
			out, err = again(tx, known, input, run.ARN)
			return err
		}
		r := *run
		r.Revision, r.Role, r.Version, r.Alias, r.Log = c.ID, c.Role, c.Version, c.Alias, logOf(c.revision.Logging)
		if err := s.engine.Begin(tx, &r, input); err != nil {
			return err
		}
		out = &api.StartExecutionOutput{ExecutionArn: &r.ARN, StartDate: &r.Started}
		if err := store.SetRecord(tx, nameKey(res.scope, c.machine.Name, r.Name), named{r.ID, r.Started, by}); err != nil {
			return err
		}
		if err := tx.Set(startedKey(res.scope, c.machine.Name, r.Started, r.ID), []byte(r.ID)); err != nil || then == nil {
			return err
		}
		return then(tx, out)
	})
	if errors.Is(err, errExpress) && parent != nil { // nobody would be told of its end
		return nil, api.StateMachineTypeNotSupported.New("This operation is not supported by this type of state machine")
	}
	if errors.Is(err, errExpress) {
		return s.startExpress(ctx, run, res, input)
	}
	return out, err
}

var errExpress = errors.New("states: an express state machine")

// taken reports whether a name that was found is still an execution's.
func (s *Service) taken(r store.Reader, known named, found bool) (bool, error) {
	if !found {
		return false, nil
	}
	run, err := engine.Find(r, known.ID)
	if err != nil {
		return false, err
	}
	return run.Status == engine.Running || s.Clock().Sub(run.Stopped) < keepFor, nil
}

// again answers to a start with a name that is taken.
func again(r store.Reader, known named, input, arn string) (*api.StartExecutionOutput, error) {
	run, err := engine.Find(r, known.ID)
	if err != nil {
		return nil, err
	}
	was, err := engine.Input(r, known.ID)
	if err != nil {
		return nil, err
	}
	if run.Status != engine.Running || was != input {
		return nil, api.ExecutionAlreadyExists.New("Execution Already Exists: '%s'", arn)
	}
	return &api.StartExecutionOutput{ExecutionArn: &run.ARN, StartDate: &run.Started}, nil
}

// inputOf is the input of an execution, checked.
func inputOf(in *string) (string, error) {
	if in == nil || *in == "" {
		return "{}", nil
	}
	if len(*in) > document.MaxSize {
		return "", api.InvalidExecutionInput.New("Invalid State Machine Execution Input: 'The input is larger than %d bytes'", document.MaxSize)
	}
	if _, err := document.Decode([]byte(*in)); err != nil {
		return "", api.InvalidExecutionInput.New("Invalid State Machine Execution Input: '%v'", err)
	}
	return *in, nil
}

// runOf readies an execution of a machine.
func (s *Service) runOf(arn string, name *string) (*engine.Run, resource, error) {
	arn, testCase, err := s.testCase(arn)
	if err != nil {
		return nil, resource{}, err
	}
	res, err := parseARN(arn, "stateMachine")
	if err != nil {
		return nil, res, err
	}
	machine, _ := res.split()
	run := &engine.Run{ID: uuid.NewString(), Name: awsapi.Val(name), Machine: res.arn("stateMachine", machine), Account: res.Account, Region: res.Region,
		Case: testCase}
	if run.Name == "" {
		run.Name = uuid.NewString()
	}
	if err := checkName(run.Name); err != nil {
		return nil, res, err
	}
	run.ARN = res.arn("execution", machine+":"+run.Name)
	return run, res, nil
}

// startExpress begins an express execution, and answers without waiting for its end.
func (s *Service) startExpress(ctx context.Context, run *engine.Run, res resource, input string) (*api.StartExecutionOutput, error) {
	if err := s.express(ctx, run, res); err != nil {
		return nil, err
	}
	started := s.Clock()
	if err := s.engine.Later(ctx, run, input); err != nil {
		return nil, err
	}
	return &api.StartExecutionOutput{ExecutionArn: new(run.ARN), StartDate: &started}, nil
}

// express readies an execution of an express machine.
func (s *Service) express(ctx context.Context, run *engine.Run, res resource) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		c, err := choose(r, res, anyRoute)
		if err != nil {
			return err
		}
		if c.Type != api.StateMachineTypeExpress {
			return api.StateMachineTypeNotSupported.New("This operation is not supported by this type of state machine")
		}
		run.ARN = res.arn("express", c.machine.Name+":"+run.Name+":"+run.ID)
		run.Revision, run.Role, run.Version, run.Alias, run.Log = c.ID, c.Role, c.Version, c.Alias, logOf(c.revision.Logging)
		return nil
	})
}

// StartSyncExecution runs an express execution to its end.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html
func (s *Service) StartSyncExecution(ctx context.Context, in *api.StartSyncExecutionInput) (*api.StartSyncExecutionOutput, error) {
	input, err := inputOf(in.Input)
	if err != nil {
		return nil, err
	}
	run, res, err := s.runOf(*in.StateMachineArn, in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.express(ctx, run, res); err != nil {
		return nil, err
	}
	run.Trace = awsapi.Val(in.TraceHeader)
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(s.ctx, end)() // below net/http, a request's context does not end by itself
	ended, err := s.engine.Express(ctx, run, input)
	if err != nil {
		return nil, err
	}
	r := ended.Run
	took := r.Stopped.Sub(r.Started)
	out := &api.StartSyncExecutionOutput{ExecutionArn: &r.ARN, StateMachineArn: &r.Machine, Name: &r.Name, StartDate: &r.Started, StopDate: &r.Stopped,
		Status: &r.Status, Input: &input, InputDetails: included(), TraceHeader: in.TraceHeader,
		BillingDetails: &api.BillingDetails{BilledDurationInMilliseconds: new((took.Milliseconds() + 99) / 100 * 100), BilledMemoryUsedInMB: new(int64(64))}}
	if r.HasError {
		out.Error, out.Cause = &r.Error, &r.Cause
	} else {
		out.Output, out.OutputDetails = &ended.Output, included()
	}
	if awsapi.Val(in.IncludedData) == api.IncludedDataMetadataOnly {
		out.Input, out.Output, out.InputDetails, out.OutputDetails, out.Error, out.Cause = nil, nil, nil, nil, nil, nil
	}
	return out, nil
}

func included() *api.CloudWatchEventsExecutionDataDetails {
	return &api.CloudWatchEventsExecutionDataDetails{Included: new(true)}
}

// execution finds the execution that an ARN names.
func execution(r store.Reader, arn string) (*engine.Run, error) {
	res, err := parseARN(arn, "execution", "express")
	if err != nil {
		return nil, err
	}
	if res.Kind == "express" {
		return nil, api.InvalidArn.New("Invalid Arn: 'Resource type not valid in this context: express'")
	}
	machine, name, ok := strings.Cut(res.Rest, ":")
	if !ok {
		return nil, api.InvalidArn.New("Invalid Arn: '%s'", arn)
	}
	known, found, err := store.GetRecord[named](r, nameKey(res.scope, machine, name))
	if err != nil {
		return nil, err
	}
	if found {
		return engine.Find(r, known.ID)
	}
	run, err := engine.FindChild(r, arn)
	if errors.Is(err, engine.ErrNoRun) {
		err = api.ExecutionDoesNotExist.New("Execution Does Not Exist: '%s'", arn)
	}
	return run, err
}

// StopExecution aborts an execution; of one that has ended it tells when.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
func (s *Service) StopExecution(ctx context.Context, in *api.StopExecutionInput) (*api.StopExecutionOutput, error) {
	run, err := s.runBy(ctx, *in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	err = s.engine.Stop(ctx, run.ID, awsapi.Val(in.Error), awsapi.Val(in.Cause))
	if err != nil && !errors.Is(err, engine.ErrLate) {
		return nil, err
	}
	if run, err = s.runBy(ctx, *in.ExecutionArn); err != nil {
		return nil, err
	}
	return &api.StopExecutionOutput{StopDate: &run.Stopped}, nil
}

func (s *Service) runBy(ctx context.Context, arn string) (run *engine.Run, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		run, err = execution(r, arn)
		return err
	})
	return run, err
}

// DescribeStateMachineForExecution tells what the machine was when an execution began.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineForExecution.html
func (s *Service) DescribeStateMachineForExecution(ctx context.Context, in *api.DescribeStateMachineForExecutionInput) (
	out *api.DescribeStateMachineForExecutionOutput, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		run, err := execution(r, *in.ExecutionArn)
		if err != nil {
			return err
		}
		rev, found, err := store.GetRecord[revision](r, revisionKey(run.Revision))
		if err != nil || !found {
			return fmt.Errorf("states: the definition of %s is missing: %w", run.ARN, err)
		}
		parsed, err := s.parsed(run.Revision, rev.Definition)
		if err != nil {
			return err
		}
		name := run.Machine[strings.LastIndexByte(run.Machine, ':')+1:]
		out = &api.DescribeStateMachineForExecutionOutput{StateMachineArn: &run.Machine, Name: &name, Definition: &rev.Definition, RoleArn: &rev.Role,
			UpdateDate: &rev.Updated, RevisionId: &run.Revision, LoggingConfiguration: logging(rev.Logging),
			TracingConfiguration: &api.TracingConfiguration{Enabled: &rev.Tracing}, EncryptionConfiguration: encryption(rev.Encryption),
			VariableReferences: parsed.References, MapRunArn: some(run.MapRun)}
		if _, label, child := strings.Cut(name, "/"); child {
			out.Label = &label
		}
		if awsapi.Val(in.IncludedData) == api.IncludedDataMetadataOnly {
			out.Definition, out.VariableReferences = nil, nil
		}
		return nil
	})
	return out, err
}
