package wire

import (
	"net/http"

	"cirro/internal/awsapi"
)

// SerializationException is the answer to a body that cannot be read as the operation's input.
var SerializationException = &awsapi.ErrorType{Code: "SerializationException", Status: http.StatusBadRequest}

// Malformed makes a SerializationException.
func Malformed(format string, args ...any) error { return SerializationException.New(format, args...) }

// MaxDepth is how deep a document may nest.
const MaxDepth = 512

// ErrTooDeep is the answer to a document that nests deeper than MaxDepth.
var ErrTooDeep = Malformed("The request is nested too deeply")
