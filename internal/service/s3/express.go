package s3

import (
	"net/http"
	"strings"
)

// Operates reports whether a request is one on objects, as they come most: it may be answered below net/http.
func Operates(method, authorization string) bool {
	switch method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		return strings.Contains(authorization, "/s3/aws4_request")
	}
	return false
}
