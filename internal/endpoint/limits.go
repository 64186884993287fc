package endpoint

import (
	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// limit is how large a request's body may be, and the error for one that is larger.
type limit struct {
	bytes int64
	err   *awsapi.ErrorType
	name  string // of the operation, in the error's message
}

// DefaultLimit is the size of a body where no operation has one of its own.
const DefaultLimit = 16 << 20

// limits are those of single operations. Code travels in base64: 50 MB make 70,167,211 bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
var limits = map[string]map[string]limit{
	"lambda": {
		"Invoke":                   {6 << 20, RequestTooLarge, "InvokeFunction"},
		"InvokeWithResponseStream": {6 << 20, RequestTooLarge, "InvokeFunction"},
		"InvokeAsync":              {1 << 20, RequestTooLarge, "InvokeFunction"},
		"CreateFunction":           {70167211, RequestTooLarge, ""},
		"UpdateFunctionCode":       {70167211, RequestTooLarge, ""},
		"PublishLayerVersion":      {70167211, RequestTooLarge, ""},
	},
}

// limitOf returns the limit of an operation, nil for one not known yet.
func limitOf(op *wire.Operation) limit {
	l := limit{DefaultLimit, RequestTooLarge, ""}
	if op == nil {
		return l
	}
	if own, ok := limits[op.Service.Name][op.Name]; ok {
		l = own
	}
	if l.name == "" {
		l.name = op.Name
	}
	return l
}

func (l limit) exceeded() error {
	if l.name == "" {
		return l.err.New("Request must be smaller than %d bytes", l.bytes)
	}
	return l.err.New("Request must be smaller than %d bytes for the %s operation", l.bytes, l.name)
}
