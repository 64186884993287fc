package validate

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// rule is what a shape demands.
type rule struct {
	plan    *wire.Plan
	pattern *pattern
	members []member // of a structure: those that demand something
	key     *rule    // of a map
	elem    *rule    // of a list or a map

	own    bool // the value itself is bounded
	nests  bool // something within the value demands something
	needed bool // either
}

type member struct {
	field *wire.Field
	rule  *rule
}

var rules sync.Map // *wire.Plan to *rule, of operations' inputs

// ruleOf returns the rule of an operation's input.
func ruleOf(p *wire.Plan) *rule {
	if r, ok := rules.Load(p); ok {
		return r.(*rule)
	}
	b := builder{made: map[*wire.Plan]*rule{}, needs: map[*wire.Plan]bool{}}
	r, _ := rules.LoadOrStore(p, b.rule(p))
	return r.(*rule)
}

type builder struct {
	made  map[*wire.Plan]*rule
	needs map[*wire.Plan]bool
}

func (b *builder) rule(p *wire.Plan) *rule {
	if r := b.made[p]; r != nil {
		return r
	}
	r := &rule{plan: p, own: bounded(p.Shape)}
	b.made[p] = r
	r.nests = b.nests(p, map[*wire.Plan]bool{})
	r.needed = r.own || r.nests
	if p.Pattern != "" && p.Kind == awsapi.String {
		r.pattern = compile(p.Pattern)
	}
	switch {
	case p.Kind == awsapi.Structure:
		for i := range p.Fields {
			f := &p.Fields[i]
			if child := b.rule(f.Plan); f.Required || child.needed {
				r.members = append(r.members, member{f, child})
			}
		}
	case p.Elem != nil:
		r.elem = b.rule(p.Elem)
		if p.Key != nil {
			r.key = b.rule(p.Key)
		}
	}
	return r
}

// bounded reports whether a shape bounds its values by itself.
func bounded(s *awsapi.Shape) bool {
	if s.Streaming {
		return false
	}
	return s.Range != nil || s.Pattern != "" && s.Kind == awsapi.String || len(s.Enum) > 0
}

// nests reports whether something within values of the plan demands something. seen breaks circles.
func (b *builder) nests(p *wire.Plan, seen map[*wire.Plan]bool) bool {
	if known, ok := b.needs[p]; ok {
		return known
	}
	if seen[p] {
		return false
	}
	seen[p] = true
	found := false
	for i := range p.Fields {
		f := &p.Fields[i]
		found = found || f.Required || bounded(f.Plan.Shape) || b.nests(f.Plan, seen)
	}
	for _, child := range []*wire.Plan{p.Key, p.Elem} {
		found = found || child != nil && (bounded(child.Shape) || b.nests(child, seen))
	}
	if found { // what is not found may only be so within this circle
		b.needs[p] = true
	}
	return found
}

// holds reports whether the value keeps the bounds of its shape.
func (r *rule) holds(v reflect.Value) bool {
	s := r.plan.Shape
	if s.Range != nil {
		if n := measure(r.plan, v); s.Range.HasMin && n < s.Range.Min || s.Range.HasMax && n > s.Range.Max {
			return false
		}
	}
	if s.Kind != awsapi.String {
		return true
	}
	return r.pattern.matches(v.String()) && (len(s.Enum) == 0 || slices.Contains(s.Enum, v.String()))
}

// measure is what a range bounds: a number's value, or a length. Strings are as long as they have code
// points, whatever they take in UTF-8 or UTF-16.
func measure(p *wire.Plan, v reflect.Value) float64 {
	switch p.Kind {
	case awsapi.String:
		return float64(utf8.RuneCountInString(v.String()))
	case awsapi.Integer, awsapi.Long:
		return float64(v.Int())
	case awsapi.Float, awsapi.Double:
		return v.Float()
	case awsapi.Blob, awsapi.List, awsapi.Map:
		if v.Kind() == reflect.Interface {
			return math.NaN() // a stream: no comparison holds, and so it is in no bound's way
		}
		return float64(v.Len())
	}
	return math.NaN()
}

// broken lists the constraints that the value breaks.
func (d *dialect) broken(r *rule, v reflect.Value) []string {
	s := r.plan.Shape
	var out []string
	if s.Kind == awsapi.String {
		if !r.pattern.matches(v.String()) {
			out = append(out, patternText(s))
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v.String()) {
			out = append(out, d.enumText(s))
		}
	}
	if s.Range != nil {
		n := measure(r.plan, v)
		if s.Range.HasMax && n > s.Range.Max {
			out = append(out, boundText(s, "less", s.Range.Max))
		}
		if s.Range.HasMin && n < s.Range.Min {
			out = append(out, boundText(s, "greater", s.Range.Min))
		}
	}
	return out
}

// constraints lists all that the shape demands, in the order in which AWS lists them.
func (r *rule) constraints(d dialect) []string {
	s := r.plan.Shape
	var out []string
	if s.Range != nil {
		if s.Range.HasMax {
			out = append(out, boundText(s, "less", s.Range.Max))
		}
		if s.Range.HasMin || s.Range.HasMax { // without a minimum it is 0
			out = append(out, boundText(s, "greater", s.Range.Min))
		}
	}
	if s.Pattern != "" && s.Kind == awsapi.String {
		out = append(out, patternText(s))
	}
	if len(s.Enum) > 0 {
		out = append(out, d.enumText(s))
	}
	return out
}

func patternText(s *awsapi.Shape) string {
	return "Member must satisfy regular expression pattern: " + s.Pattern
}

func (d *dialect) enumText(s *awsapi.Shape) string {
	values := s.Enum
	if own := d.enums[s.Name]; own != nil {
		values = own
	}
	return "Member must satisfy enum value set: [" + strings.Join(values, ", ") + "]"
}

func boundText(s *awsapi.Shape, relation string, bound float64) string {
	what := "length"
	switch s.Kind {
	case awsapi.Integer, awsapi.Long, awsapi.Float, awsapi.Double:
		what = "value"
	}
	number := strconv.FormatFloat(bound, 'f', -1, 64)
	if (s.Kind == awsapi.Float || s.Kind == awsapi.Double) && bound == math.Trunc(bound) {
		number += ".0"
	}
	return "Member must have " + what + " " + relation + " than or equal to " + number
}
