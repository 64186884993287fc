// Command echofunction is a function written with AWS's own library for Go, as a custom runtime runs
// it. Tests build it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name  string
	Fail  bool
	Panic bool
	Exit  int
}

func handle(ctx context.Context, e event) (any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	log.Print("handling ", e.Name)
	switch {
	case e.Fail:
		return nil, errors.New("it failed")
	case e.Panic:
		panic("it panicked")
	case e.Exit != 0:
		os.Exit(e.Exit)
	}
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"hello": e.Name, "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn,
		"function": lambdacontext.FunctionName, "time": time.Until(deadline) > 0,
	}, nil
}

// stream answers in parts; the library then uses the streaming mode.
func stream(_ context.Context, e event) (io.Reader, error) {
	if e.Fail {
		return io.MultiReader(strings.NewReader("one "), broken{}), nil
	}
	return io.MultiReader(strings.NewReader("one "), strings.NewReader("two")), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("it broke") }

func main() {
	if os.Getenv("_HANDLER") == "stream" {
		lambda.Start(stream)
	}
	lambda.Start(handle)
}
