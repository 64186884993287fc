package main

import (
	"strings"
	"unicode"
)

func writeDoc(w *writer, m *model) {
	w.printf("// Package %s holds the API of %s, version %s, as AWS's model describes it.\n",
		m.Source.Package, m.Metadata.ServiceID, m.Metadata.APIVersion)
	w.printf("package %s\n", m.Source.Package)
}

// writeAPI writes the interface of the service and its stand-in, Unimplemented.
func writeAPI(w *writer, m *model) {
	w.printf("package %s\n\nimport (\n\"context\"\n\n\"cirro/internal/awsapi\"\n)\n\n", m.Source.Package)
	w.printf("// API is the service: one method an operation.\ntype API interface {\n")
	for _, name := range m.bindings {
		o := m.Operations[name]
		w.printf("%s(ctx context.Context, in *%s) (*%s, error)\n", name, m.inputType(o), m.outputType(o))
	}
	w.printf("}\n\n// Unimplemented answers every operation with an error that names it. Embed it in an API.\n")
	w.printf("type Unimplemented struct{}\n\nvar _ API = Unimplemented{}\n\n")
	for _, name := range m.bindings {
		o := m.Operations[name]
		w.printf("func (Unimplemented) %s(context.Context, *%s) (*%s, error) {\nreturn nil, awsapi.Unimplemented(%q, %q)\n}\n\n",
			name, m.inputType(o), m.outputType(o), m.Source.Name, name)
	}
}

// writeErrors writes a variable for each error.
func writeErrors(w *writer, m *model) {
	w.printf("package %s\n\n", m.Source.Package)
	var any bool
	for _, s := range m.sorted() {
		any = any || s.Exception
	}
	if !any {
		return
	}
	w.printf("import \"cirro/internal/awsapi\"\n\n// The service's errors.\nvar (\n")
	for _, s := range m.sorted() {
		if !s.Exception {
			continue
		}
		code, status, queryCode := s.Name, 400, ""
		if s.Fault {
			status = 500
		}
		if e := s.Error; e != nil {
			if e.HTTPStatusCode != 0 {
				status = e.HTTPStatusCode
			}
			if e.Code != "" {
				queryCode = e.Code
				if m.Metadata.Protocol == "query" || m.Metadata.Protocol == "rest-xml" {
					code, queryCode = e.Code, ""
				}
			}
		}
		w.printf("%s = &awsapi.ErrorType{Code: %q, Status: %d,", m.goNames[s.Name], code, status)
		w.field("Server", s.Fault || status >= 500)
		w.field("QueryCode", queryCode)
		w.printf("}\n")
	}
	w.printf(")\n")
}

// writeTypes writes a struct for each structure that is not an error.
func writeTypes(w *writer, m *model) {
	body := &writer{}
	for _, name := range m.bindings {
		o := m.Operations[name]
		if o.Input == nil {
			body.printf("// %s is empty: the operation takes no input.\ntype %s struct{}\n\n", m.inputType(o), m.inputType(o))
		}
		if o.Output == nil {
			body.printf("// %s is empty: the operation answers nothing.\ntype %s struct{}\n\n", m.outputType(o), m.outputType(o))
		}
	}
	for _, s := range m.sorted() {
		if s.Type != "structure" || s.Exception || s.Document {
			continue
		}
		body.printf("// %s is the model's shape of that name.\ntype %s struct {\n", m.goNames[s.Name], m.goNames[s.Name])
		for _, name := range s.MemberOrder {
			body.printf("%s %s\n", upperFirst(name), m.fieldType(s.Members[name]))
		}
		body.printf("}\n\n")
	}
	text := body.String()
	w.printf("package %s\n\nimport (\n", m.Source.Package)
	for _, use := range [][2]string{{"io.Reader", "io"}, {"time.Time", "time"}, {"awsapi.", "cirro/internal/awsapi"}} {
		if strings.Contains(text, use[0]) {
			w.printf("%q\n", use[1])
		}
	}
	w.printf(")\n\n%s", text)
}

// writeEnums writes a constant for each value of each enumeration.
func writeEnums(w *writer, m *model) {
	w.printf("package %s\n\n", m.Source.Package)
	taken := map[string]bool{}
	for _, g := range m.goNames {
		taken[g] = true
	}
	for _, s := range m.sorted() {
		if len(s.Enum) == 0 {
			continue
		}
		w.printf("// Values of %s.\nconst (\n", s.Name)
		for _, value := range s.Enum {
			name := m.goNames[s.Name] + camel(value)
			for taken[name] {
				name += "Value"
			}
			taken[name] = true
			w.printf("%s = %q\n", name, value)
		}
		w.printf(")\n\n")
	}
}

// camel makes an identifier's tail of an enumeration's value: "python3.12" is Python312.
func camel(value string) string {
	var b strings.Builder
	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, word := range words {
		if word == strings.ToUpper(word) {
			word = strings.ToLower(word)
		}
		b.WriteString(upperFirst(word))
	}
	return b.String()
}
