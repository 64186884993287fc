package endpoint_test

import (
	"context"
	"io"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint"
)

// PutInput is the input of the stub service's operations.
type PutInput struct {
	Key      *string
	Encoding *string
	Body     io.Reader
}

// PutOutput is their output.
type PutOutput struct {
	Size *int64
	Body io.Reader
}

// putTable is a service like S3, with bodies that stream both ways.
var putTable = awsapi.Service{Name: "s3", ID: "S3", SigningName: "s3", EndpointPrefix: "s3", Protocol: awsapi.RestXML,
	Shapes: []awsapi.Shape{
		{Name: "String", Kind: awsapi.String},
		{Name: "Body", Kind: awsapi.Blob, Streaming: true},
		{Name: "Long", Kind: awsapi.Long},
		{Name: "PutInput", Kind: awsapi.Structure, Payload: "Body", Members: []awsapi.Member{
			{Name: "Key", Shape: 0, Wire: "Key", Location: awsapi.URI, Required: true},
			{Name: "Encoding", Shape: 0, Wire: "Content-Encoding", Location: awsapi.Header},
			{Name: "Body", Shape: 1}}},
		{Name: "PutOutput", Kind: awsapi.Structure, Payload: "Body", Members: []awsapi.Member{
			{Name: "Size", Shape: 2, Wire: "x-amz-object-size", Location: awsapi.Header},
			{Name: "Body", Shape: 1}}},
	},
	Operations: []awsapi.Operation{{Name: "PutObject", Method: "PUT", Path: "/{Key+}", Input: 3, Output: 4,
		New: func() any { return new(PutInput) },
		Call: func(ctx context.Context, impl, in any) (any, error) {
			return impl.(putter)(ctx, in.(*PutInput))
		},
		Out: outOf[PutOutput],
	}},
}

type putter func(ctx context.Context, in *PutInput) (*PutOutput, error)

func newPutEndpoint(t testing.TB, o endpoint.Options, put putter) *endpoint.Endpoint {
	t.Helper()
	e := endpoint.New(o)
	table := putTable
	e.Register(&table, put)
	return e
}

// countBody reads a body to its end and answers its size, or the error that reading met.
func countBody(_ context.Context, in *PutInput) (*PutOutput, error) {
	n, err := io.Copy(io.Discard, in.Body)
	if err != nil {
		return nil, err
	}
	return &PutOutput{Size: &n}, nil
}
