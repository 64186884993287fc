package rest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Bind sets the members of in, a structure, that travel outside the request's body.
func Bind(x *wire.Exchange, in reflect.Value) error {
	plan := x.Operation.InputPlan()
	for i, f := range x.Operation.Labels() {
		if f == nil || i >= len(x.Labels) {
			continue
		}
		if err := wire.SetText(f.Plan, x.Labels[i], f.Set(in)); err != nil {
			return err
		}
	}
	if !plan.Bound() {
		return nil
	}
	var query url.Values
	if x.HTTP.URL.RawQuery != "" {
		query, _ = url.ParseQuery(x.HTTP.URL.RawQuery) // what cannot be read is left out
	}
	for i := range plan.Fields {
		f := &plan.Fields[i]
		var err error
		switch f.Location {
		case awsapi.QueryString:
			err = bindQuery(plan, f, query, in)
		case awsapi.Header:
			err = bindHeader(f, x.HTTP.Header[f.HeaderKey], in)
		case awsapi.Headers:
			err = bindHeaders(f, x.HTTP.Header, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func bindQuery(plan *wire.Plan, f *wire.Field, query url.Values, in reflect.Value) error {
	switch f.Plan.Kind {
	case awsapi.Map:
		return bindRest(plan, f, query, in)
	case awsapi.List:
		values, ok := query[f.WireName()]
		if !ok {
			return nil
		}
		return setList(f.Plan, values, f.Set(in))
	}
	values := query[f.WireName()]
	if len(values) == 0 {
		return nil
	}
	if values[0] == "" && f.Plan.Kind != awsapi.String {
		return nil
	}
	return wire.SetText(f.Plan, values[0], f.Set(in))
}

// bindRest gives a map all parameters that no other member takes.
func bindRest(plan *wire.Plan, f *wire.Field, query url.Values, in reflect.Value) error {
	if len(query) == 0 {
		return nil
	}
	taken := map[string]bool{}
	for i := range plan.Fields {
		if other := &plan.Fields[i]; other.Location == awsapi.QueryString && other.Index != f.Index {
			taken[other.WireName()] = true
		}
	}
	m := reflect.MakeMap(f.Plan.Type)
	for name, values := range query {
		if taken[name] || strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		elem := reflect.New(f.Plan.Type.Elem()).Elem()
		var err error
		if f.Plan.Elem.Kind == awsapi.List {
			err = setList(f.Plan.Elem, values, elem)
		} else {
			err = wire.SetText(f.Plan.Elem, values[0], elem)
		}
		if err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name), elem)
	}
	f.Set(in).Set(m)
	return nil
}

func setList(p *wire.Plan, values []string, v reflect.Value) error {
	s := reflect.MakeSlice(p.Type, len(values), len(values))
	for i, value := range values {
		if err := wire.SetText(p.Elem, value, s.Index(i)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func bindHeader(f *wire.Field, values []string, in reflect.Value) error {
	if len(values) == 0 {
		return nil
	}
	switch {
	case f.Plan.Kind == awsapi.List:
		return setList(f.Plan, splitHeader(values, f.Plan.Elem.Kind == awsapi.Timestamp), f.Set(in))
	case f.JSONValue:
		b, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil {
			return wire.Malformed("Header %s is not base64", f.HeaderKey)
		}
		f.Set(in).SetString(string(b))
		return nil
	case values[0] == "" && f.Plan.Kind != awsapi.String:
		return nil
	}
	return wire.SetText(f.Plan, values[0], f.Set(in))
}

func bindHeaders(f *wire.Field, header http.Header, in reflect.Value) error {
	var m reflect.Value
	for name, values := range header {
		if len(name) < len(f.HeaderKey) || !strings.EqualFold(name[:len(f.HeaderKey)], f.HeaderKey) || len(values) == 0 {
			continue
		}
		if !m.IsValid() {
			m = reflect.MakeMap(f.Plan.Type)
		}
		key := strings.ToLower(name[len(f.HeaderKey):])
		m.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(strings.Join(values, ",")))
	}
	if m.IsValid() {
		f.Set(in).Set(m)
	}
	return nil
}

// splitHeader returns the values of a list in a header. Commas part them, but for those within quotes;
// the dates of RFC 822 have a comma of their own, so that every second one counts.
func splitHeader(lines []string, dates bool) []string {
	var out []string
	for _, line := range lines {
		var b strings.Builder
		quoted, commas := false, 0
		flush := func() {
			out = append(out, strings.TrimSpace(b.String()))
			b.Reset()
		}
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted && i+1 < len(line):
				i++
				b.WriteByte(line[i])
			case c == ',' && !quoted:
				if commas++; dates && strings.Contains(line, " GMT") && commas%2 == 1 {
					b.WriteByte(c)
				} else {
					flush()
				}
			default:
				b.WriteByte(c)
			}
		}
		flush()
	}
	return out
}
