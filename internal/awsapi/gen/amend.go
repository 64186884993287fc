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
// /tmp, which stay as the model has them.
//
//go:embed amendments.json
var amendmentsFile []byte

type amendment struct {
	Min, Max *float64
	Pattern  string
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
		s.Min, s.Max, s.Pattern = a.Min, a.Max, a.Pattern
	}
	return nil
}
