package rest

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Head sets the headers that the output v has among its members, and returns the status.
func Head(h http.Header, x *wire.Exchange, plan *wire.Plan, v reflect.Value) int {
	status := x.Operation.Status
	if status == 0 {
		status = http.StatusOK
	}
	if !plan.Bound() {
		return status
	}
	for i := range plan.Fields {
		f := &plan.Fields[i]
		if f.Location == awsapi.Body {
			continue
		}
		value, ok := f.Get(v)
		if !ok {
			continue
		}
		switch f.Location {
		case awsapi.StatusCode:
			if s := int(value.Int()); s >= 100 {
				status = s
			}
		case awsapi.Header:
			h[f.HeaderKey] = []string{headerText(f, value)}
		case awsapi.Headers:
			for _, key := range value.MapKeys() {
				// As the model spells it: clients take what follows the prefix as it comes.
				h[f.WireName()+key.String()] = []string{Clean(value.MapIndex(key).String())}
			}
		}
	}
	if _, part := h["Content-Range"]; part && status == http.StatusOK {
		return http.StatusPartialContent
	}
	return status
}

func headerText(f *wire.Field, v reflect.Value) string {
	if f.JSONValue {
		return base64.StdEncoding.EncodeToString([]byte(v.String()))
	}
	if f.Plan.Kind != awsapi.List {
		return Clean(string(wire.AppendText(nil, f.Plan, f.Time.Or(wire.RFC822), v)))
	}
	parts := make([]string, v.Len())
	for i := range parts {
		s := string(wire.AppendText(nil, f.Plan.Elem, f.Plan.Elem.Time.Or(wire.RFC822), v.Index(i)))
		if f.Plan.Elem.Kind == awsapi.String && strings.ContainsAny(s, `",`) {
			s = strconv.Quote(s)
		}
		parts[i] = Clean(s)
	}
	return strings.Join(parts, ", ")
}

// Clean keeps a value from ending its header's line.
func Clean(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}

// ErrorHead sets the headers that an error's shape has among its members.
func ErrorHead(h http.Header, service *wire.Service, err *awsapi.Error) {
	s := service.ExceptionShape(err.Type)
	if s == nil {
		return
	}
	for i := range s.Members {
		m := &s.Members[i]
		value, ok := err.Fields[m.Name]
		if !ok || m.Location != awsapi.Header {
			continue
		}
		plan := service.Plans.Of(m.Shape, reflect.TypeOf(value))
		h.Set(m.WireName(), Clean(string(wire.AppendText(nil, plan, wire.RFC822, reflect.ValueOf(value)))))
	}
}

// Stream copies a streaming blob to the client: one that writes itself by that, any other flushing as it comes.
func Stream(w http.ResponseWriter, status int, body io.Reader) error {
	if c, ok := body.(io.Closer); ok {
		defer c.Close()
	}
	w.WriteHeader(status)
	if own, ok := body.(io.WriterTo); ok {
		_, err := own.WriteTo(w)
		return err
	}
	flush := http.NewResponseController(w).Flush
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if n < len(buf) {
				// Below net/http there is nothing to flush: what has a length goes out as it fills the socket.
				if err := flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
