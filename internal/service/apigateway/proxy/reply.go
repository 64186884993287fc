package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
)

// ErrMalformed is the error for a reply that is none: the client gets a 502.
var ErrMalformed = errors.New("proxy: malformed Lambda proxy response")

// Reply is what a function answers.
type Reply struct {
	Status  int    // 200 where the function does not say
	Headers []Pair // of both kinds, sorted by name
	Body    string
	Base64  bool // the function says that Body is base64
}

// ParseReply reads a function's payload. All its members may be missing; any other is an error.
func ParseReply(payload []byte) (*Reply, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if members == nil {
		return nil, ErrMalformed
	}
	var (
		code    any
		headers map[string]any
		multi   map[string][]any
		body    *string
		base64  *bool
	)
	for name, value := range members {
		var into any
		switch name {
		case "statusCode":
			into = &code
		case "headers":
			into = &headers
		case "multiValueHeaders":
			into = &multi
		case "body":
			into = &body
		case "isBase64Encoded":
			into = &base64
		default:
			return nil, fmt.Errorf("%w: the member %q", ErrMalformed, name)
		}
		if err := decode(value, into); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
		}
	}
	reply := &Reply{Body: awsapi.Val(body), Base64: awsapi.Val(base64)}
	var err error
	if reply.Status, err = status(code); err != nil {
		return nil, err
	}
	if reply.Headers, err = mergeHeaders(headers, multi); err != nil {
		return nil, err
	}
	return reply, nil
}

// decode keeps numbers as they are written.
func decode(value json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	return d.Decode(into)
}

// status reads a status code: a whole number, or a string that holds one.
func status(v any) (int, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return 200, nil
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return 0, fmt.Errorf("%w: the status code %v", ErrMalformed, v)
	}
	// A status below 200 would not be the answer to the request.
	n, err := strconv.Atoi(text)
	if err != nil || n < 200 || n > 599 {
		return 0, fmt.Errorf("%w: the status code %q", ErrMalformed, text)
	}
	return n, nil
}

// mergeHeaders puts both kinds of headers together. A pair that is in both comes once.
func mergeHeaders(single map[string]any, multi map[string][]any) ([]Pair, error) {
	var pairs []Pair
	add := func(name string, v any) error {
		value, ok, err := scalar(v)
		if err != nil || !ok {
			return err
		}
		if !validName(name) {
			return fmt.Errorf("%w: the header name %q", ErrMalformed, name)
		}
		pairs = append(pairs, Pair{name, clean(value)})
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(multi)) {
		for _, v := range multi[name] {
			if err := add(name, v); err != nil {
				return nil, err
			}
		}
	}
	fromMulti := pairs
	for _, name := range slices.Sorted(maps.Keys(single)) {
		if value, _, _ := scalar(single[name]); !has(fromMulti, name, clean(value)) {
			if err := add(name, single[name]); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	return pairs, nil
}

func has(pairs []Pair, name, value string) bool {
	return slices.ContainsFunc(pairs, func(p Pair) bool {
		return strings.EqualFold(p.Name, name) && p.Value == value
	})
}

// scalar is a header's value as text; ok is false for null.
func scalar(v any) (text string, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return "", false, nil
	case string:
		return v, true, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	case json.Number:
		return v.String(), true, nil
	}
	return "", false, fmt.Errorf("%w: a header's value is a %T", ErrMalformed, v)
}

// validName reports whether a name is a token, as HTTP has it (RFC 9110, 5.6.2).
func validName(name string) bool {
	return name != "" && strings.IndexFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) < 0
}

// clean keeps a value from ending its header.
func clean(value string) string {
	return strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' || c == 0 {
			return ' '
		}
		return c
	}, value)
}

// Header returns the first value of a header; the name's case does not count.
func (r *Reply) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Bytes is the body for the client: decoded where the function says that it is base64 and the type that
// the client accepts first, or, where it names none, the type of the reply, is one of the API's binary
// types.
func (r *Reply) Bytes(accept string, binary MediaTypes) ([]byte, error) {
	t := firstType(accept)
	if t == "" {
		t = r.Header("Content-Type")
	}
	if !r.Base64 || !binary.Match(t) {
		return []byte(r.Body), nil
	}
	return base64.StdEncoding.DecodeString(r.Body)
}
