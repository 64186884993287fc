package asl

import (
	"slices"
	"strings"

	"cirro/internal/asl/document"
	"cirro/internal/asl/intrinsic"
	"cirro/internal/asl/jsonata"
	"cirro/internal/asl/jsonpath"
)

// fields reads the members of an object of the definition, once each, and knows which were not asked for.
type fields struct {
	*reader
	object   *document.Object
	at       string
	language QueryLanguage
	used     []string

	downgraded bool // a state of JSONPath within a machine of JSONata: nothing more is said of its fields' language
}

func (r *reader) fields(v any, at string, language QueryLanguage) *fields {
	object, ok := v.(*document.Object)
	if !ok {
		r.schema(at, "Expected value of type Object")
		object = document.NewObject()
	}
	return &fields{reader: r, object: object, at: at, language: language}
}

// take reads a member.
func (f *fields) take(name string) (any, bool) {
	f.used = append(f.used, name)
	return f.object.Get(name)
}

func (f *fields) has(name string) bool {
	_, ok := f.object.Get(name)
	return ok
}

// require reports members that are missing.
func (f *fields) require(names ...string) bool {
	names = slices.DeleteFunc(names, f.has)
	if len(names) > 0 {
		f.schema(f.at, "These fields are required: [%s]", strings.Join(names, ", "))
	}
	return len(names) == 0
}

// done reports members that nobody asked for.
func (f *fields) done() {
	for name := range f.object.All() {
		if !slices.Contains(f.used, name) {
			f.schema(f.at, "Field '%s' is not supported", name)
		}
	}
}

func (f *fields) text(name string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.schema(f.at+"/"+name, "Expected value of type String")
	}
	return s
}

func (f *fields) flag(name string) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		f.schema(f.at+"/"+name, "Expected value of type Boolean")
	}
	return b
}

// number reads a number within bounds, or otherwise.
func (f *fields) number(name string, otherwise, least, most float64) float64 {
	v, ok := f.take(name)
	if !ok {
		return otherwise
	}
	n, ok := document.Float(v)
	switch {
	case !ok:
		f.schema(f.at+"/"+name, "Expected value of type Number")
	case n < least:
		f.schema(f.at+"/"+name, "Minimum value is %v", least)
	case n > most:
		f.schema(f.at+"/"+name, "Maximum value is %.0f", most)
	}
	return n
}

// integer is a number that is whole.
func (f *fields) integer(name string, otherwise, least, most int64) int64 {
	if v, ok := f.object.Get(name); ok {
		if _, ok := document.Whole(v); !ok {
			f.take(name)
			f.schema(f.at+"/"+name, "Expected value of type Integer")
			return otherwise
		}
	}
	return int64(f.number(name, float64(otherwise), float64(least), float64(most)))
}

// choice reads a text that is one of a few.
func (f *fields) choice(name string, allowed ...string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	switch {
	case !ok:
		f.schema(f.at+"/"+name, "Expected value of type [STRING]")
	case !slices.Contains(allowed, s):
		f.schema(f.at+"/"+name, "Value should be one of the following: [%s]", strings.Join(allowed, ", "))
	}
	return s
}

// one reports that not exactly one of some fields is there.
func (f *fields) one(names ...string) {
	n := 0
	for _, name := range names {
		if f.has(name) {
			n++
		}
	}
	switch {
	case n == 0:
		f.schema(f.at, "This object should have only one of the following fields: [%s]", strings.Join(names, ", "))
	case n > 1:
		f.schema(f.at, "There should only be one of the following fields: [%s]", strings.Join(names, ", "))
	}
}

func (f *fields) texts(name string) (texts []string) {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		f.schema(f.at+"/"+name, "Expected value of type Array")
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			f.schema(f.at+"/"+name, "Expected value of type String")
		}
		texts = append(texts, s)
	}
	return texts
}

// only reports members of one language in a state of the other.
func (f *fields) only(language QueryLanguage, names ...string) {
	if f.language == language {
		return
	}
	for _, name := range names {
		if _, ok := f.take(name); ok && !f.downgraded {
			f.schema(f.at, "The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", f.language, name, language)
		}
	}
}

// filter reads InputPath or OutputPath, of JSONPath states alone.
func (f *fields) filter(name string) *filter {
	f.only(JSONPath, name)
	v, ok := f.take(name)
	if !ok || f.language != JSONPath {
		return nil
	}
	if v == nil {
		return &filter{field: name}
	}
	p := f.path(v, name)
	if p == nil || p.Text == "$" {
		return nil
	}
	return &filter{Path: p, field: name}
}

// path reads a JSONPath.
func (f *fields) path(v any, name string) *jsonpath.Path {
	text, ok := v.(string)
	if ok {
		if p, err := jsonpath.Parse(text); err == nil {
			f.refer(p.Name)
			return p
		}
	}
	f.schema(f.at+"/"+name, "Value must be a valid JSONPath.")
	return nil
}

// reference reads ResultPath: where it is null the result is discarded.
func (f *fields) reference(name string) (p *jsonpath.Path, discard bool) {
	f.only(JSONPath, name)
	v, ok := f.take(name)
	if !ok || f.language != JSONPath {
		return nil, false
	}
	if v == nil {
		return nil, true
	}
	text, ok := v.(string)
	if ok {
		if p, err := jsonpath.Reference(text); err == nil {
			if len(p.Steps()) == 0 {
				return nil, false
			}
			return p, false
		}
	}
	f.schema(f.at+"/"+name, "Value is not a Reference Path: The value for the field '%s' must be a valid Reference Path", name)
	return nil, false
}

// template reads a payload template of JSONPath states.
func (f *fields) template(name string) expression {
	f.only(JSONPath, name)
	v, ok := f.take(name)
	if !ok || f.language != JSONPath {
		return nil
	}
	return f.compile(v, f.at+"/"+name)
}

// queries reads a value of JSONata states in which strings may be queries.
func (f *fields) queries(name string) expression {
	f.only(JSONata, name)
	v, ok := f.take(name)
	if !ok || f.language != JSONata {
		return nil
	}
	return f.compile(v, f.at+"/"+name)
}

// truth reads a condition: a query, or a constant.
func (f *fields) truth(name string) expression {
	e := f.queries(name)
	if l, ok := e.(literal); ok && l.value != nil {
		if _, ok := l.value.(bool); !ok {
			f.schema(f.at+"/"+name, "Expected value of type Boolean or a JSONata expression")
		}
	}
	return e
}

// either reads a field that both languages have with values of the same form.
func (f *fields) either(name string) expression {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	return f.compile(v, f.at+"/"+name)
}

// quantity reads a number that is given as it is, by a path in a field with Path, or by a query.
func (f *fields) quantity(name string, least, most int64) expression {
	f.only(JSONPath, name+"Path")
	if v, ok := f.object.Get(name + "Path"); ok && f.language == JSONPath {
		f.take(name + "Path")
		if _, ok := f.take(name); ok && name != "Seconds" { // Wait states have four such fields
			f.one(name, name+"Path")
		}
		if p := f.path(v, name+"Path"); p != nil {
			return path{p}
		}
		return nil
	}
	v, ok := f.object.Get(name)
	if !ok {
		return nil
	}
	if text, isText := v.(string); isText && f.language == JSONata {
		f.take(name)
		if q := f.query(text, f.at+"/"+name); q != nil {
			return q
		}
		f.schema(f.at+"/"+name, "Expected value of type Integer or a JSONata expression")
		return nil
	}
	return literal{f.integer(name, 0, least, most)}
}

// query compiles a text that is a JSONata expression, in {% %}; nil where it is none.
func (r *reader) query(text, at string) expression {
	opened, closed := strings.HasPrefix(text, "{%"), strings.HasSuffix(text, "%}")
	if !opened && !closed {
		return nil
	}
	if !opened || !closed || len(text) < len("{%%}") {
		r.schema(at, "JSONata string must start with {%% and end with %%}")
		return literal{}
	}
	inner := text[len("{%") : len(text)-len("%}")]
	e, err := jsonata.Parse(strings.TrimSpace(inner))
	if err != nil {
		r.report(invalidJSONata, at, "%v", err)
		return literal{}
	}
	for _, problem := range e.Unsupported(r.caught) {
		r.report(unsupportedJSONata, at, "%s", problem)
	}
	r.refer(e.Variables...)
	return query{e}
}

// compile makes an expression of a template in the language of the state.
func (f *fields) compile(v any, at string) expression {
	if f.language == JSONata {
		return f.compileQueries(v, at)
	}
	return f.compileTemplate(v, at)
}

func (f *fields) compileQueries(v any, at string) expression {
	switch v := v.(type) {
	case string:
		if q := f.query(v, at); q != nil {
			return q
		}
	case []any:
		made := make(list, len(v))
		for i := range v {
			made[i] = f.compileQueries(v[i], at)
		}
		return settled(made, v)
	case *document.Object:
		made := object{}
		for name, value := range v.All() {
			made = append(made, member{name, name, f.compileQueries(value, at+"/"+name)})
		}
		return settled(made, v)
	}
	return literal{v}
}

func (f *fields) compileTemplate(v any, at string) expression {
	switch v := v.(type) {
	case []any:
		made := make(list, len(v))
		for i := range v {
			made[i] = f.compileTemplate(v[i], at)
		}
		return settled(made, v)
	case *document.Object:
		made := object{}
		for field, value := range v.All() {
			name, dynamic := strings.CutSuffix(field, ".$")
			if !dynamic {
				made = append(made, member{field, field, f.compileTemplate(value, at+"/"+field)})
				continue
			}
			if _, twice := v.Get(name); twice {
				f.schema(at, "The field '%s' is given twice, with and without '.$'", name)
			}
			if e := f.dynamic(value, field, at+"/"+field); e != nil {
				made = append(made, member{name, field, e})
			}
		}
		return settled(made, v)
	}
	return literal{v}
}

// dynamic compiles the value of a member whose name ends in .$: a path or a call.
func (f *fields) dynamic(v any, field, at string) expression {
	text, ok := v.(string)
	if ok && intrinsic.Is(text) {
		c, err := intrinsic.Parse(text)
		if err == nil {
			for _, p := range c.Paths() {
				f.refer(p.Name)
			}
			return call{c}
		}
		ok = false
	}
	if ok {
		if p, err := jsonpath.Parse(text); err == nil {
			f.refer(p.Name)
			return path{p}
		}
	}
	f.schema(at, "The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", field)
	return nil
}

// settled is a literal where nothing within a template is to be evaluated.
func settled(made expression, v any) expression {
	switch made := made.(type) {
	case list:
		for _, e := range made {
			if _, ok := e.(literal); !ok {
				return made
			}
		}
	case object:
		for _, m := range made {
			if _, ok := m.value.(literal); !ok || m.name != m.field {
				return made
			}
		}
	}
	return literal{v}
}
