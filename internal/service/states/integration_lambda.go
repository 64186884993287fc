package states

import (
	"errors"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/service/states/engine"
)

// invoke invokes a function that a task names by its ARN.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
func (c *call) invoke() engine.Reply {
	out, err := c.service.Caller.Call(c.ctx, c.principal, "lambda", "Invoke",
		&lambdaapi.InvocationRequest{FunctionName: &c.task.Resource, Payload: []byte(c.task.Parameters)})
	if err != nil {
		return c.notInvoked(err)
	}
	in := out.(*lambdaapi.InvocationResponse)
	if in.FunctionError != nil {
		return functionFailed(in.Payload)
	}
	if len(in.Payload) == 0 {
		return engine.Reply{Output: "null", Done: true}
	}
	return engine.Reply{Output: string(in.Payload), Done: true}
}

func (c *call) notInvoked(err error) engine.Reply {
	if _, known := errors.AsType[*awsapi.Error](err); !known {
		return engine.Reply{Again: true} // the platform stops, or the store is away
	}
	return c.refused("lambda", err, "Lambda", "AWSLambdaException", "(Service: AWSLambda; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)")
}

// functionFailed is the failure of a function that answered with an error: its type is the error's name.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
func functionFailed(payload []byte) engine.Reply {
	name := "Lambda.Unknown"
	if v, err := document.Decode(payload); err == nil {
		if object, ok := v.(*document.Object); ok {
			if kind, ok := object.Get("errorType"); ok {
				if text, ok := kind.(string); ok && text != "" {
					name = text
				}
			}
		}
	}
	return failed(name, string(payload))
}

// shapeFunction has the payload be its JSON, text included; null is no payload.
func shapeFunction(c *call) error {
	o := c.parameters.(*document.Object)
	if v, ok := o.Get("Payload"); ok && v != nil {
		o.Set("Payload", string(document.Encode(v)))
	}
	return nil
}

// invoked is the answer of lambda:invoke: the payload is JSON in it, not text.
func (c *call) invoked(out *document.Object) engine.Reply {
	payload := ""
	if v, ok := out.Get("Payload"); ok {
		payload, _ = v.(string)
	}
	if _, bad := out.Get("FunctionError"); bad {
		return functionFailed([]byte(payload))
	}
	if v, err := document.Decode([]byte(payload)); err == nil {
		out.Set("Payload", v)
	}
	return c.answer(c.withMetadata(out))
}
