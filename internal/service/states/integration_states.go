package states

import (
	"context"
	"errors"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	api "cirro/internal/awsapi/states"
	"cirro/internal/courier"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// shapeExecution has the input of an execution be its JSON, and names an execution that has no name by the task:
// a task that is performed twice, after a crash, begins one.
func shapeExecution(c *call) error {
	o := c.parameters.(*document.Object)
	if err := textOf("Input")(c); err != nil {
		return err
	}
	if v, ok := o.Get("Name"); !ok || v == nil {
		o.Set("Name", c.childName())
	}
	return nil
}

func (c *call) childName() string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(c.service.engine.Token(c.task))).String()
}

// startAndWait begins an execution whose end the task waits for.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
func (c *call) startAndWait() engine.Reply {
	c.parameters = c.object()
	if err := shapeExecution(c); err != nil {
		return failed(asl.Runtime, err.Error())
	}
	in := &api.StartExecutionInput{}
	o := c.parameters.(*document.Object)
	for name, to := range map[string]**string{"StateMachineArn": &in.StateMachineArn, "Input": &in.Input, "Name": &in.Name, "TraceHeader": &in.TraceHeader} {
		if v, ok := o.Get(name); ok {
			text, _ := v.(string)
			*to = &text
		}
	}
	if in.StateMachineArn == nil {
		return failed(asl.Runtime, "The parameter StateMachineArn is missing")
	}
	parent := &engine.Parent{Run: c.task.Run, Frame: c.task.Frame, Turn: c.task.Turn}
	_, err := c.service.start(c.ctx, in, parent, func(tx store.Tx, out *api.StartExecutionOutput) error {
		// In one transaction: the end of an execution of an instant shall not be told of before.
		begun := document.NewObject("ExecutionArn", *out.ExecutionArn, "StartDate", float64(out.StartDate.UnixMilli())/1000)
		return c.service.engine.Submitted(tx, parent, string(document.Encode(c.withMetadata(begun))))
	})
	if err != nil {
		return c.refused("states", err, "StepFunctions", "AWSStepFunctionsException",
			"(Service: AWSStepFunctions; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)")
	}
	return engine.Reply{}
}

// tellEnds tells tasks that the executions have ended that they wait for.
func (s *Service) tellEnds(ctx context.Context) {
	c := courier.Courier{Store: s.Store, Queue: engine.EndedQueue(&engine.Run{}), AtOnce: 16, Handle: s.tellEnd, Log: s.Log}
	c.Run(ctx)
}

func (s *Service) tellEnd(_ context.Context, m store.Message) courier.Verdict {
	return courier.Verdict{Then: func(tx store.Tx) error {
		run, err := engine.Find(tx, string(m.Body))
		if errors.Is(err, engine.ErrNoRun) || err == nil && run.Parent == nil {
			return nil
		}
		if err != nil {
			return err
		}
		out, err := described(tx, run, s.Clock())
		if err != nil {
			return err
		}
		parsed, err := s.engine.WaitsForDocument(tx, run.Parent)
		if err != nil {
			return err
		}
		text := string(document.Encode(childEnd(out, parsed)))
		if run.Status != engine.Succeeded {
			return s.engine.Tell(tx, run.Parent, "", &asl.Failure{Error: asl.TaskFailed, Cause: text})
		}
		return s.engine.Tell(tx, run.Parent, text, nil)
	}}
}

// childEnd is an execution that has ended as the task's result has it. parsed has input and output be JSON, not
// text.
func childEnd(d *api.DescribeExecutionOutput, parsed bool) *document.Object {
	value := func(s *string) any {
		if parsed {
			if v, err := document.Decode([]byte(*s)); err == nil {
				return v
			}
		}
		return *s
	}
	o := document.NewObject()
	if d.Cause != nil {
		o.Set("Cause", *d.Cause)
	}
	if d.Error != nil {
		o.Set("Error", *d.Error)
	}
	o.Set("ExecutionArn", *d.ExecutionArn)
	o.Set("Input", value(d.Input))
	o.Set("InputDetails", document.NewObject("Included", true))
	o.Set("Name", *d.Name)
	if d.Output != nil {
		o.Set("Output", value(d.Output))
		o.Set("OutputDetails", document.NewObject("Included", true))
	}
	o.Set("RedriveCount", int64(*d.RedriveCount))
	o.Set("RedriveStatus", *d.RedriveStatus)
	if d.RedriveStatusReason != nil {
		o.Set("RedriveStatusReason", *d.RedriveStatusReason)
	}
	o.Set("StartDate", d.StartDate.UnixMilli())
	o.Set("StateMachineArn", *d.StateMachineArn)
	o.Set("Status", *d.Status)
	o.Set("StopDate", d.StopDate.UnixMilli())
	return o
}
