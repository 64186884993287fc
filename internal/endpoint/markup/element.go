package markup

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"cirro/internal/endpoint/wire"
)

// Element is one element of a document.
type Element struct {
	Name     string // local
	Attr     []xml.Attr
	Text     string
	Children []*Element

	text []byte // Text while it is read
}

// Parse reads a document and returns its root, or nil for an empty one.
func Parse(b []byte) (*Element, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var root *Element
	var open []*Element
	for {
		t, err := d.Token()
		if err == io.EOF && root != nil && len(open) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, malformed()
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &Element{Name: t.Name.Local, Attr: t.Attr}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, e)
			case root != nil:
				return nil, malformed()
			default:
				root = e
			}
			if open = append(open, e); len(open) > wire.MaxDepth {
				return nil, wire.ErrTooDeep
			}
		case xml.EndElement:
			e := open[len(open)-1]
			e.Text, e.text = string(e.text), nil
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.text = append(e.text, t...)
			} else if len(strings.TrimSpace(string(t))) > 0 {
				return nil, malformed()
			}
		case xml.Directive:
			return nil, malformed() // no document types, and so no entities
		}
	}
}

func malformed() error {
	return MalformedXML.New("The XML you provided was not well-formed or did not validate against our published schema")
}

// Child returns the first child of that name, or nil.
func (e *Element) Child(name string) *Element {
	for _, c := range e.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// attribute returns the value of the attribute, by its name with or without prefix.
func (e *Element) attribute(name string) (string, bool) {
	_, local, ok := strings.Cut(name, ":")
	if !ok {
		local = name
	}
	for _, a := range e.Attr {
		if a.Name.Local == local && a.Name.Space != "xmlns" {
			return a.Value, true
		}
	}
	return "", false
}
