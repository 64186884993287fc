package validate

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Input checks in, the operation's input, which its New made. It returns nil or an *awsapi.Error that
// names everything that fails.
func Input(op *wire.Operation, in any) error {
	rule := ruleOf(op.InputPlan())
	if !rule.needed {
		return nil
	}
	d, ok := dialects[op.Service.Name]
	if !ok {
		d = standard
	}
	c := checker{dialect: d, op: op}
	var root *path
	if d.operationPath {
		root = &path{name: op.Name + "Input"}
	}
	c.structure(rule, reflect.ValueOf(in).Elem(), root)
	c.newTableName(reflect.ValueOf(in).Elem())
	return c.err()
}

// err is the error that tells of all failures; nil where there are none.
func (c *checker) err() error {
	if c.badNames.text != "" && (len(c.failures) == 0 || c.op.Name != "BatchWriteItem") {
		c.failures = append(c.failures, c.badNames)
	}
	if len(c.failures) == 0 {
		return nil
	}
	if c.documents {
		if err := c.malformed(); err != nil {
			return err
		}
	}
	if c.presence {
		return c.absent()
	}
	c.sort()
	if text, ok := c.lone(); ok {
		return c.dialect.err.New("%s", text)
	}
	texts := make([]string, len(c.failures))
	for i, f := range c.failures {
		texts[i] = f.text
	}
	plural := "s"
	if len(texts) == 1 {
		plural = ""
	}
	return c.dialect.err.New("%s", fmt.Sprintf("%d validation error%s detected: ", len(texts), plural)+strings.Join(texts, "; "))
}

// path is where a value stands, as a chain towards the input. An element of a list has a number, one of a map a key.
type path struct {
	up     *path
	name   string
	number int    // from 1; 0 for none
	key    string // of an element of a map
}

func (p *path) String() string { return p.text(lowerFirst) }

// text is the path with its members' names spelled in one way.
func (p *path) text(spelled func(string) string) string {
	name := spelled(p.name)
	switch {
	case p.number > 0:
		name = strconv.Itoa(p.number) + ".member"
	case name == "":
		name = p.key + ".member"
	}
	if p.up == nil {
		return name
	}
	return p.up.text(spelled) + "." + name
}

// member is the member of the input that the path leads into.
func (p *path) member() string {
	for p.up != nil && p.up.up != nil {
		p = p.up
	}
	if p.up != nil && p.up.name != "" {
		return p.up.name
	}
	return p.name
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// maxFailures ends a check that has found enough: AWS lists all, but nobody reads a million.
const maxFailures = 100

type checker struct {
	dialect
	op       *wire.Operation
	failures []failure
	badNames failure // of tables, if it has a text
}

// failure is what is wrong with a value.
type failure struct {
	member string // of the input
	null   bool   // the member is missing
	text   string
	absent string // what is missing, where that is all that is told
}

func (c *checker) fail(p *path, value, constraint string) {
	if len(c.failures) >= maxFailures {
		return
	}
	f := failure{member: p.member(), null: value == " null" && p.up == nil,
		text: "Value" + value + " at '" + p.String() + "' failed to satisfy constraint: " + constraint}
	if value == " null" {
		f.absent = p.parameter()
	}
	c.failures = append(c.failures, f)
}

func (c *checker) structure(r *rule, v reflect.Value, p *path) {
	for i := range r.members {
		m := &r.members[i]
		value, ok := m.field.Get(v)
		switch {
		case ok && (!m.rule.needed || p == nil && c.leaves[m.field.Name]):
		case ok:
			c.value(m.rule, value, &path{up: p, name: m.field.Name})
		case m.field.Required:
			c.fail(&path{up: p, name: m.field.Name}, " null", "Member must not be null")
		}
	}
}

// value checks a member's value, or what a list or map nests in it.
func (c *checker) value(r *rule, v reflect.Value, p *path) {
	if !r.needed {
		return
	}
	if r.own && !r.holds(v) {
		shown := r.show(v)
		for _, failed := range c.broken(r, v) {
			if c.terse[c.op.Name+"."+p.name] {
				c.failTersely(p, failed)
				continue
			}
			c.fail(p, shown, failed)
		}
	}
	switch r.plan.Kind {
	case awsapi.Structure:
		if r.plan.Type.Kind() == reflect.Struct {
			c.structure(r, v, p)
		}
	case awsapi.List:
		c.list(r, v, p)
	case awsapi.Map:
		c.mapping(r, v, p)
	}
}

// list checks a list's elements. Those that are no structures are told of as one, by all the
// constraints they have.
func (c *checker) list(r *rule, v reflect.Value, p *path) {
	if r.elem == nil || !r.elem.needed {
		return
	}
	if r.elem.own {
		for i := range v.Len() {
			if !r.elem.holds(v.Index(i)) {
				c.fail(p, r.show(v), "Member must satisfy constraint: "+c.all(r.elem))
				break
			}
		}
	}
	if !r.elem.nests {
		return
	}
	for i := range v.Len() {
		c.nested(r.elem, v.Index(i), &path{up: p, number: i + 1})
	}
}

func (c *checker) mapping(r *rule, v reflect.Value, p *path) {
	c.tableNames(r, v, p)
	if r.key.own {
		for _, k := range v.MapKeys() {
			if !r.key.holds(k) {
				c.fail(p, r.show(v), "Map keys must satisfy constraint: "+c.all(r.key))
				break
			}
		}
	}
	if !r.elem.needed {
		return
	}
	if r.elem.own {
		for it := v.MapRange(); it.Next(); {
			if !r.elem.holds(it.Value()) {
				c.fail(p, r.show(v), "Map value must satisfy constraint: "+c.all(r.elem))
				break
			}
		}
	}
	if !r.elem.nests {
		return
	}
	for _, k := range sortedKeys(v) {
		c.nested(r.elem, v.MapIndex(k), &path{up: p, key: k.String()})
	}
}

// nested checks what stands inside an element whose own constraints are checked already.
func (c *checker) nested(r *rule, v reflect.Value, p *path) {
	switch r.plan.Kind {
	case awsapi.Structure:
		c.structure(r, v, p)
	case awsapi.List:
		c.list(r, v, p)
	case awsapi.Map:
		c.mapping(r, v, p)
	}
}

// all lists the constraints of an element.
func (c *checker) all(r *rule) string {
	constraints := r.constraints(c.dialect)
	if c.notNull {
		constraints = append(constraints, "Member must not be null")
	}
	return "[" + strings.Join(constraints, ", ") + "]"
}
