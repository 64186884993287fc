package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// amendmentsFile holds the bounds that AWS documents and that neither the model, which is too old, nor
// the newer modules, which carry none, have: lengths, ranges and patterns by service and shape, as the
// API references state them. Two of Lambda's are lower here than there: 900 seconds is the longest timeout of
// a function that runs on no instances of its own
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), and so it is for memory and
// /tmp, which stay as the model has them. S3's CopySource has none: a slash before the bucket is optional; and
// its service tells better what is no region than that it is none of those in the model.
//
// Names are those of the query protocol, which SQS's model has left while SQS still speaks it: of a structure's members,
// of a list's "member", and of a map's "key" and "value". They are in the examples of the API reference.
//
//go:embed amendments.json
var amendmentsFile []byte

type amendment struct {
	Min, Max *float64
	Pattern  string
	Names    map[string]string
	Any      bool // the values that the model has are not all
}

// amend gives the service's shapes the bounds of the amendments.
func (m *model) amend() error {
	var all map[string]map[string]amendment
	if err := json.Unmarshal(amendmentsFile, &all); err != nil {
		return err
	}
	for name, a := range all[m.Source.Name] {
		s := m.Shapes[name]
		if s == nil {
			return fmt.Errorf("the amended shape %s is nowhere", name)
		}
		if a.Names == nil {
			s.Min, s.Max, s.Pattern = a.Min, a.Max, a.Pattern
		}
		if a.Any {
			s.Enum = nil
		}
		if err := s.rename(a.Names); err != nil {
			return fmt.Errorf("the amended shape %s: %w", name, err)
		}
	}
	return nil
}

// rename gives the names of the query protocol to what the shape holds.
func (s *shape) rename(names map[string]string) error {
	for of, name := range names {
		switch r := s.Members[of]; {
		case r != nil:
			r.QueryName = name
		case of == "member" && s.Member != nil:
			s.Member.LocationName = name
		case of == "key" && s.Key != nil:
			s.Key.LocationName = name
		case of == "value" && s.Value != nil:
			s.Value.LocationName = name
		default:
			return fmt.Errorf("it has no %s", of)
		}
	}
	return nil
}
