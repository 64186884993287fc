package proxy

import "strings"

// MediaTypes are an API's binary media types, such as "image/png", "image/*" and "*/*".
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
type MediaTypes []string

// Match reports whether a Content-Type, whose parameters do not count, is one of the types.
func (m MediaTypes) Match(contentType string) bool {
	contentType = bare(contentType)
	kind, _, _ := strings.Cut(contentType, "/")
	for _, t := range m {
		t = bare(t)
		if t == "*/*" || (t == contentType && t != "") || (t == kind+"/*" && kind != "") {
			return true
		}
	}
	return false
}

// bare is a media type without its parameters, in lower case.
func bare(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// firstType is the first media type of an Accept header: the only one that API Gateway looks at.
func firstType(accept string) string {
	first, _, _ := strings.Cut(accept, ",")
	return bare(first)
}
