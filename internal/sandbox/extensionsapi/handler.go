package extensionsapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// Prefix is what the paths of this API begin with.
const Prefix = "/2020-01-01/extension/"

// The headers of this API.
const (
	nameHeader       = "Lambda-Extension-Name"
	identifierHeader = "Lambda-Extension-Identifier"
	eventHeader      = "Lambda-Extension-Event-Identifier"
	errorHeader      = "Lambda-Extension-Function-Error-Type"
	featureHeader    = "Lambda-Extension-Accept-Feature"
)

// maxBody is how long a request's body may be.
const maxBody = 256 * 1024

// ServeHTTP answers one request of an extension.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, handle := http.MethodPost, g.serveRegister
	switch strings.TrimPrefix(r.URL.Path, Prefix) {
	case "register":
	case "event/next":
		method, handle = http.MethodGet, g.serveNext
	case "init/error":
		handle = func(w http.ResponseWriter, r *http.Request) { g.serveError(w, r, "Extension.InitError") }
	case "exit/error":
		handle = func(w http.ResponseWriter, r *http.Request) { g.serveError(w, r, "Extension.ExitError") }
	default:
		http.NotFound(w, r)
		return
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	handle(w, r)
}

func (g *Registry) serveRegister(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(nameHeader)
	if name == "" {
		refuse(w, &refusal{"Extension.InvalidExtensionName", "Empty extension name"})
		return
	}
	var request struct {
		Events []string `json:"events"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if err != nil {
		refuse(w, &refusal{"InvalidRequestFormat", err.Error()})
		return
	}
	x, refused := g.register(name, request.Events)
	if refused != nil {
		refuse(w, refused)
		return
	}
	if g.registered != nil {
		g.registered(name, request.Events)
	}
	reply := g.function
	if !accepts(r, "accountId") {
		reply.Account = ""
	}
	w.Header().Set(identifierHeader, x.id)
	write(w, http.StatusOK, reply)
}

func accepts(r *http.Request, feature string) bool {
	for f := range strings.SplitSeq(r.Header.Get(featureHeader), ",") {
		if strings.TrimSpace(f) == feature {
			return true
		}
	}
	return false
}

func (g *Registry) serveNext(w http.ResponseWriter, r *http.Request) {
	x := g.sender(w, r)
	if x == nil {
		return
	}
	g.lock.Lock()
	if len(x.mail) == 0 {
		x.resting = true
		g.changed()
	}
	g.lock.Unlock()
	select {
	case event := <-x.mail:
		w.Header().Set(eventHeader, uuid.NewString())
		w.Header().Set("Content-Type", "application/json")
		w.Write(event)
	case <-r.Context().Done():
	case <-g.gone:
		refuse(w, &refusal{"Extension.InvalidExtensionState", "The environment is gone"})
	}
}

func (g *Registry) serveError(w http.ResponseWriter, r *http.Request, kind string) {
	x := g.sender(w, r)
	if x == nil {
		return
	}
	reported := r.Header.Get(errorHeader)
	if reported == "" {
		refuse(w, &refusal{"Extension.MissingHeader", errorHeader + " not found"})
		return
	}
	io.Copy(io.Discard, io.LimitReader(r.Body, maxBody))
	g.Fail(Failure{Extension: x.name, Type: kind, Reported: reported})
	write(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// sender finds the extension that a request is from, or refuses it.
func (g *Registry) sender(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get(identifierHeader)
	if id == "" {
		refuse(w, &refusal{"Extension.MissingExtensionIdentifier", "Missing " + identifierHeader + " header"})
		return nil
	}
	if _, err := uuid.Parse(id); err != nil {
		refuse(w, &refusal{"Extension.InvalidExtensionIdentifier", "Invalid " + identifierHeader})
		return nil
	}
	g.lock.Lock()
	defer g.lock.Unlock()
	x := g.extensions[id]
	if x == nil {
		refuse(w, &refusal{"Extension.UnknownExtensionIdentifier", "Unknown extension " + id})
	}
	return x
}

func refuse(w http.ResponseWriter, f *refusal) {
	write(w, http.StatusForbidden, struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{f.message, f.kind})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
