package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	lambda "cirro/internal/awsapi/lambda"
	"cirro/internal/service/apigateway/proxy"
)

// principal is who calls functions on an API's behalf.
const principal = "apigateway.amazonaws.com"

// function calls the function behind a method and makes its reply a response.
func (x *execution) function(ctx context.Context, i *api.Integration) (*result, *failure) {
	if *i.HttpMethod != "POST" {
		return nil, misconfigured.because("Execution failed due to configuration error: a Lambda function is invoked by POST, not by %s", *i.HttpMethod)
	}
	uri, name, region, ok := x.functionName(i)
	if !ok {
		return nil, misconfigured.because("Execution failed due to configuration error: Invalid function ARN or invalid uri: %s", uri)
	}
	event := proxy.NewEvent(x.request, x.context, x.path, x.variables, proxy.MediaTypes(x.api.API.BinaryMediaTypes))
	payload, err := encode(event)
	if err != nil {
		return nil, misconfigured.because("Execution failed: %v", err)
	}
	x.log.sending(region, name, payload)
	out, f := x.invoke(ctx, i, name, region, payload)
	if f != nil {
		return nil, f
	}
	return x.reply(out)
}

// encode encodes an event without the escapes that HTML would need.
func encode(e *proxy.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

var stageVariable = regexp.MustCompile(`\$\{stageVariables\.([a-zA-Z0-9_]+)\}`)

// functionName finds the function in an integration's uri, once its stage variables are filled in.
func (x *execution) functionName(i *api.Integration) (uri, name, region string, ok bool) {
	uri = stageVariable.ReplaceAllStringFunc(*i.Uri, func(v string) string {
		return x.variables[stageVariable.FindStringSubmatch(v)[1]]
	})
	m := functionURI.FindStringSubmatch(uri)
	if m == nil {
		return uri, "", "", false
	}
	region, name = m[1], m[2]
	// The function may live elsewhere than where API Gateway is told to look.
	if parts := strings.Split(name, ":"); len(parts) >= 7 && parts[0] == "arn" {
		region = parts[3]
	}
	return uri, name, region, true
}

// invoke calls the function and waits as long as the integration's timeout says. A function that is
// slower runs on to its end, as on AWS.
func (x *execution) invoke(ctx context.Context, i *api.Integration, name, region string, payload []byte) (*lambda.InvocationResponse, *failure) {
	type answer struct {
		out any
		err error
	}
	who := awsapi.Principal{Account: x.home.Account, Service: principal, SourceARN: x.sourceARN()}
	ctx = awsapi.WithRequest(context.WithoutCancel(ctx), &awsapi.Request{ID: x.context.RequestID, Region: region, Principal: who,
		SourceIP: x.context.Identity.SourceIP, UserAgent: "AmazonAPIGateway_" + x.context.APIID, Time: time.Now(), TraceID: x.trace})
	answers := make(chan answer, 1)
	started := time.Now()
	go func() {
		out, err := x.service.caller.Call(ctx, who, "lambda", "Invoke",
			&lambda.InvocationRequest{FunctionName: &name, InvocationType: new("RequestResponse"), Payload: payload})
		answers <- answer{out, err}
	}()
	timeout := time.NewTimer(time.Duration(awsapi.Val(i.TimeoutInMillis)) * time.Millisecond)
	defer timeout.Stop()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, refused(a.err)
		}
		out := a.out.(*lambda.InvocationResponse)
		x.log.received(time.Since(started), out)
		return out, nil
	case <-timeout.C:
		return nil, timedOut.because("Execution failed due to a timeout error")
	}
}

// refused is the failure for a call that Lambda did not take.
// https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#services-apigateway-errors
func refused(err error) *failure {
	e, known := errors.AsType[*awsapi.Error](err)
	switch {
	case known && e.Type.Status == http.StatusRequestEntityTooLarge:
		return tooLarge.because("Execution failed: %v", err)
	case errors.Is(err, awsapi.AccessDenied):
		return misconfigured.because("Execution failed due to configuration error: Invalid permissions on Lambda function")
	}
	return misconfigured.because("Execution failed due to configuration error: %v", err)
}

// reply makes what a function answers a response.
func (x *execution) reply(out *lambda.InvocationResponse) (*result, *failure) {
	if out.FunctionError != nil {
		var e struct {
			Message string `json:"errorMessage"`
			Request string `json:"requestId"`
		}
		_ = json.Unmarshal(out.Payload, &e) // for the log alone
		return nil, badGateway.because("Lambda execution failed with status 200 due to customer function error: %s. Lambda request id: %s", e.Message, e.Request)
	}
	reply, err := proxy.ParseReply(out.Payload)
	if err != nil {
		return nil, badGateway.because("Execution failed due to configuration error: Malformed Lambda proxy response (%v)", err)
	}
	body, err := reply.Bytes(x.request.Header("Accept"), proxy.MediaTypes(x.api.API.BinaryMediaTypes))
	if err != nil {
		return nil, misconfigured.because("Execution failed due to configuration error: Unable to base64 decode the body.")
	}
	r := &result{status: reply.Status, body: body, headers: []proxy.Pair{{Name: "X-Amzn-Trace-Id", Value: x.trace}}}
	for _, h := range reply.Headers {
		if name := proxy.ResponseName(h.Name); name != "" {
			r.headers = append(r.headers, proxy.Pair{Name: name, Value: h.Value})
		}
	}
	if r.header("Content-Type") == "" {
		r.set("Content-Type", "application/json")
	}
	return r, nil
}

// sourceARN names the method in a function's policy.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
func (x *execution) sourceARN() string {
	return fmt.Sprintf("arn:aws:execute-api:%s:%s:%s/%s/%s%s", x.home.Region, x.home.Account, x.context.APIID,
		x.context.Stage, x.request.Method, x.context.ResourcePath)
}
