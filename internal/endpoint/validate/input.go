package validate

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// dialect is how one service words what it refuses, where it differs from the others.
type dialect struct {
	err *awsapi.ErrorType
	// operationPath puts the operation before a member's path: 'putIntegrationInput.type'.
	operationPath bool
	// notNull ends the constraints of a list's or a map's elements with one more.
	notNull bool
	// leaves are members of inputs that the service checks itself, in words of its own.
	leaves map[string]bool
}

var standard = dialect{err: awsapi.ValidationException}

// dialects are those that real answers show.
var dialects = map[string]dialect{
	"apigateway": {err: awsapi.ValidationException, operationPath: true},
	"lambda":     {err: awsapi.ValidationException, notNull: true, leaves: map[string]bool{"Runtime": true}},
	// Of values and names within items DynamoDB tells in words of its own.
	"dynamodb": {err: awsapi.ValidationException, leaves: map[string]bool{"Item": true, "Key": true, "ExclusiveStartKey": true, "ExpressionAttributeValues": true}},
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	"logs": {err: &awsapi.ErrorType{Code: "InvalidParameterException", Status: http.StatusBadRequest}},
}

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
	c := checker{dialect: d}
	var root *path
	if d.operationPath {
		root = &path{name: op.Name + "Input"}
	}
	c.structure(rule, reflect.ValueOf(in).Elem(), root)
	if len(c.failures) == 0 {
		return nil
	}
	plural := "s"
	if len(c.failures) == 1 {
		plural = ""
	}
	return d.err.New("%s", fmt.Sprintf("%d validation error%s detected: ", len(c.failures), plural)+strings.Join(c.failures, "; "))
}

// path is where a value stands, as a chain towards the input. An element of a list has a number, one of a map a key.
type path struct {
	up     *path
	name   string
	number int    // from 1; 0 for none
	key    string // of an element of a map
}

func (p *path) String() string {
	name := lowerFirst(p.name)
	switch {
	case p.number > 0:
		name = strconv.Itoa(p.number) + ".member"
	case name == "":
		name = p.key + ".member"
	}
	if p.up == nil {
		return name
	}
	return p.up.String() + "." + name
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
	failures []string
}

func (c *checker) fail(p *path, value, constraint string) {
	if len(c.failures) < maxFailures {
		c.failures = append(c.failures,
			"Value"+value+" at '"+p.String()+"' failed to satisfy constraint: "+constraint)
	}
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
		for _, failed := range r.broken(v) {
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
	constraints := r.constraints()
	if c.notNull {
		constraints = append(constraints, "Member must not be null")
	}
	return "[" + strings.Join(constraints, ", ") + "]"
}
