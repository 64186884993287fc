package sns

import (
	"net/http"
	"strings"
)

// Operates says whether a request is for an operation, by its method, its target and what its credentials name.
// None waits for anything but the store.
func Operates(method, target, authorization string) bool {
	return method == http.MethodPost && target == "/" && strings.Contains(authorization, "/sns/aws4_request")
}
