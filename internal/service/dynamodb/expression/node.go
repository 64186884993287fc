package expression

import (
	"cirro/internal/service/dynamodb/item"
)

// operator is what a node of a parsed expression does.
type operator uint8

const (
	opPath operator = iota
	opValue
	opAnd
	opOr
	opNot
	opEqual
	opNotEqual
	opLess
	opLessOrEqual
	opGreater
	opGreaterOrEqual
	opBetween
	opIn
	opPlus
	opMinus
	opFunction // until its name is looked up
	opAttributeExists
	opAttributeNotExists
	opAttributeType
	opBeginsWith
	opContains
	opSize
	opIfNotExists
	opListAppend
	// What only the older parameters can say.
	opNotContains
)

var operatorNames = [...]string{
	opAnd: "AND", opOr: "OR", opNot: "NOT", opEqual: "=", opNotEqual: "<>", opLess: "<", opLessOrEqual: "<=",
	opGreater: ">", opGreaterOrEqual: ">=", opBetween: "BETWEEN", opIn: "IN", opPlus: "+", opMinus: "-",
	opAttributeExists: "attribute_exists", opAttributeNotExists: "attribute_not_exists",
	opAttributeType: "attribute_type", opBeginsWith: "begins_with", opContains: "contains", opSize: "size",
	opIfNotExists: "if_not_exists", opListAppend: "list_append", opNotContains: "NOT_CONTAINS",
}

func (op operator) String() string { return operatorNames[op] }

var comparators = map[string]operator{
	"=": opEqual, "<>": opNotEqual, "<": opLess, "<=": opLessOrEqual, ">": opGreater, ">=": opGreaterOrEqual,
}

var functions = map[string]operator{
	"attribute_exists": opAttributeExists, "attribute_not_exists": opAttributeNotExists,
	"attribute_type": opAttributeType, "begins_with": opBeginsWith, "contains": opContains, "size": opSize,
	"if_not_exists": opIfNotExists, "list_append": opListAppend,
}

func (op operator) isFunction() bool { return op >= opFunction && op <= opListAppend }

// isCondition reports whether the operator gives true or false.
func (op operator) isCondition() bool {
	return op >= opAnd && op <= opIn || op >= opAttributeExists && op <= opContains || op == opNotContains
}

// node is a part of a parsed expression. What it holds depends on its operator.
type node struct {
	op   operator
	args []*node
	// name is a function's, or a value's placeholder.
	name string
	// steps are a path as written; path is what they stand for once placeholders are known.
	steps []writtenStep
	path  Path
	value item.Value
}

// writtenStep is a step of a path as written: a name, a placeholder of one, or the digits of an index.
type writtenStep struct {
	kind tokenKind
	text string
}
