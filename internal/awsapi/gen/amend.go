package main

import "fmt"

// amendment is a bound that AWS keeps and documents, but its model does not have.
type amendment struct {
	shape    string
	min, max float64
	page     string
}

var amendments = map[string][]amendment{
	"lambda": {{"Timeout", 1, 900, "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"}},
}

// amend adds the service's amendments.
func (m *model) amend() error {
	for _, a := range amendments[m.Source.Name] {
		s := m.Shapes[a.shape]
		if s == nil || s.Max != nil {
			return fmt.Errorf("the shape %s needs no amendment from %s", a.shape, a.page)
		}
		s.Min, s.Max = &a.min, &a.max
	}
	return nil
}
