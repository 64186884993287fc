package proxy

import "strings"

// droppedFromRequest are the headers that no integration gets to see.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
var droppedFromRequest = set("Connection", "Content-Length", "Content-MD5", "Expect", "Max-Forwards",
	"Proxy-Authenticate", "Server", "TE", "Transfer-Encoding", "Trailer", "Upgrade", "WWW-Authenticate")

// remapped are the headers of a reply that come back under another name.
var remapped = set("Authorization", "Connection", "Content-Length", "Content-MD5", "Date", "Expect", "Host",
	"Max-Forwards", "Proxy-Authenticate", "Server", "Trailer", "Upgrade", "User-Agent", "WWW-Authenticate")

// renamed are the headers whose name an event spells in one way, whatever the client wrote.
var renamed = map[string]string{"authorization": "Authorization", "user-agent": "User-Agent"}

// Dropped reports whether a request's header is kept from integrations.
func Dropped(name string) bool { return droppedFromRequest[strings.ToLower(name)] }

// RequestName is the name that a request's header has in an event.
func RequestName(name string) string {
	if n, ok := renamed[strings.ToLower(name)]; ok {
		return n
	}
	return name
}

// ResponseName is the name under which a reply's header goes to the client; "" where it does not.
func ResponseName(name string) string {
	switch lower := strings.ToLower(name); {
	case lower == "transfer-encoding":
		return ""
	case remapped[lower]:
		return "x-amzn-Remapped-" + name
	}
	return name
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[strings.ToLower(n)] = true
	}
	return m
}
