package lambda

import (
	"net/http"
	"strings"
)

// Invokes says whether a request is an Invoke, by its method, host and target. On the hosts of API
// Gateway's stages and of functions' URLs all paths are their owners'.
func Invokes(method, host, target string) bool {
	rest, ok := strings.CutPrefix(target, "/2015-03-31/functions/")
	if !ok || method != http.MethodPost {
		return false
	}
	path, _, _ := strings.Cut(rest, "?")
	host = strings.ToLower(host)
	return strings.HasSuffix(path, "/invocations") &&
		!strings.Contains(host, ".execute-api.") && !strings.Contains(host, ".lambda-url.")
}
