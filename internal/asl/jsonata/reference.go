package jsonata

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/recolabs/gnata"
)

// references are what an expression reads from outside of itself.
type references struct {
	fields    []string // names that are looked up where there is nothing to look them up in
	root      bool     // $$
	variables []string
	reserved  []string // fields of $states
}

// node is a node of the library's tree of an expression. The library keeps the tree to itself, so it is read by
// reflection, and only read.
type node struct{ reflect.Value }

func tree(e *gnata.Expression) node { return node{reflect.ValueOf(e).Elem().FieldByName("ast")} }

func (n node) ok() bool { return n.IsValid() && !n.IsNil() }

func (n node) text(field string) string { return n.Elem().FieldByName(field).String() }

func (n node) child(field string) node { return node{n.Elem().FieldByName(field)} }

func (n node) children(field string) (list []node) {
	v := n.Elem().FieldByName(field)
	for i := range v.Len() {
		list = append(list, node{v.Index(i)})
	}
	return list
}

// within are the nodes below a list of structures, as stages, terms and groups are.
func within(list reflect.Value) (nodes []node) {
	kind := reflect.TypeFor[*gnata.Expression]().Elem()
	field, _ := kind.FieldByName("ast")
	var find func(v reflect.Value)
	find = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.Type() == field.Type && !v.IsNil() {
				nodes = append(nodes, node{v})
			} else if !v.IsNil() {
				find(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				find(v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				find(v.Index(i))
			}
		}
	}
	find(list)
	return nodes
}

// walk notes what a node reads. Within steps and predicates there is something that names are looked up in; bound
// are the variables that the expression itself has bound.
func (r *references) walk(n node, inside bool, bound map[string]bool) {
	if !n.ok() {
		return
	}
	switch n.text("Type") {
	case "path":
		r.path(n, inside, bound)
		return
	case "name":
		r.field(n.text("Value"), inside)
	case "variable":
		r.variable(n.text("Value"), bound)
	case "bind":
		r.walk(n.child("Right"), inside, bound)
		if left := n.child("Left"); left.ok() {
			bound[left.text("Value")] = true
		}
		return
	case "lambda":
		own := map[string]bool{}
		for name := range bound {
			own[name] = true
		}
		for _, parameter := range n.children("Arguments") {
			own[parameter.text("Value")] = true
		}
		r.walk(n.child("Body"), inside, own)
		return
	case "block":
		own := map[string]bool{}
		for name := range bound {
			own[name] = true
		}
		bound = own
	case "transform":
		for _, field := range []string{"Pattern", "Update", "Delete"} {
			r.walk(n.child(field), true, bound)
		}
		return
	}
	r.below(n, inside, bound)
}

// below walks what a node is made of.
func (r *references) below(n node, inside bool, bound map[string]bool) {
	for _, field := range []string{"Procedure", "Left", "Right", "Expression", "Condition", "Then", "Else", "Body"} {
		r.walk(n.child(field), inside, bound)
	}
	for _, field := range []string{"Expressions", "LHS", "Arguments", "Steps"} {
		for _, child := range n.children(field) {
			r.walk(child, inside, bound)
		}
	}
	for _, field := range []string{"Stages", "Terms", "Group"} {
		for _, child := range within(n.Elem().FieldByName(field)) {
			r.walk(child, true, bound)
		}
	}
}

// path walks a path, of which only the first step may be looked up in nothing.
func (r *references) path(n node, inside bool, bound map[string]bool) {
	steps := n.children("Steps")
	for i, step := range steps {
		if name := step.text("Index"); name != "" {
			bound[name] = true
		}
		if name := step.text("Focus"); name != "" {
			bound[name] = true
		}
		r.walk(step, inside || i > 0, bound)
	}
	if len(steps) > 1 && steps[0].text("Type") == "variable" && steps[0].text("Value") == "states" && steps[1].text("Type") == "name" {
		r.reserved = append(r.reserved, steps[1].text("Value"))
	}
	for _, child := range within(n.Elem().FieldByName("Group")) {
		r.walk(child, true, bound)
	}
}

func (r *references) field(name string, inside bool) {
	if !inside && !slices.Contains(r.fields, name) {
		r.fields = append(r.fields, name)
	}
}

func (r *references) variable(name string, bound map[string]bool) {
	switch {
	case name == "$":
		r.root = true
	case name != "" && !bound[name] && !builtin[name] && !slices.Contains(r.variables, name):
		r.variables = append(r.variables, name)
	}
}

// Unsupported says what an expression refers to that there is not: fields of a value that it is about, for it is about
// none, and the error output outside of a catcher.
// https://github.com/floci-io/floci/blob/main/docs/services/step-functions.md
func (e *Expression) Unsupported(catcher bool) (problems []string) {
	for _, name := range e.references.fields {
		problems = append(problems, fmt.Sprintf("Reference to '%s' at the top level is not supported.", name))
	}
	if e.references.root {
		problems = append(problems, "Reference to '$$' is not supported.")
	}
	if !catcher && slices.Contains(e.references.reserved, "errorOutput") {
		problems = append(problems, "Field '$states.errorOutput' does not exist.")
	}
	return problems
}
