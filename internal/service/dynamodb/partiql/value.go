package partiql

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

// path reads names after points, and indexes and quoted names in brackets.
func (p *parser) path() (expression.Path, error) {
	t := p.next()
	if t.kind != tokenName {
		return nil, malformed("Expected identifier for simple path")
	}
	path := expression.Path{{Name: t.text}}
	for {
		var step expression.Step
		var err error
		switch {
		case p.accept("."):
			step, err = p.nameStep()
		case p.accept("["):
			step, err = p.bracketStep()
		default:
			return path, nil
		}
		if err != nil {
			return nil, err
		}
		path = append(path, step)
	}
}

func (p *parser) nameStep() (expression.Step, error) {
	t := p.next()
	if t.is("*") {
		return expression.Step{}, refused("Changing item's hierarchy while reading isn't supported")
	}
	if t.kind != tokenName {
		return expression.Step{}, malformed("Invalid path dot component")
	}
	return expression.Step{Name: t.text}, nil
}

func (p *parser) bracketStep() (expression.Step, error) {
	t := p.next()
	var step expression.Step
	switch {
	case t.is("-") && p.peek().kind == tokenNumber:
		n := p.next()
		return step, refused("List index is not within the allowable range; index: [-%s]%s", n.text, n.at())
	case t.kind == tokenString:
		step.Name = t.text
	case t.kind == tokenNumber:
		index, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil && strings.ContainsAny(t.text, ".eE") {
			return step, refused("Unexpected path component%s", t.at())
		}
		if err != nil || index > math.MaxInt32 {
			return step, refused("List index is not within the allowable range; index: [%s]%s", t.text, t.at())
		}
		step = expression.Step{Index: int(index), IsIndex: true}
	default:
		return step, malformed("Unexpected path component")
	}
	return step, p.expect("]")
}

// value reads a literal or a parameter. The place, "root.a[0]", is in the errors.
func (p *parser) value(place string) (item.Value, error) {
	t := p.next()
	switch {
	case t.kind == tokenString:
		return item.String(t.text), nil
	case t.kind == tokenNumber:
		return number(t.text, place)
	case (t.is("-") || t.is("+")) && p.peek().kind == tokenNumber:
		return number(t.text+p.next().text, place)
	case t.is("TRUE"), t.is("FALSE"):
		return item.Boolean(t.text == "TRUE"), nil
	case t.is("NULL"):
		return item.Null(), nil
	case t.is("?"):
		return p.parameter()
	case t.is("["):
		return p.list(place)
	case t.is("{"):
		return p.tuple(place, false)
	case t.is("<<"):
		return p.bag(place)
	case t.is("("):
		v, err := p.value(place)
		if err != nil {
			return v, err
		}
		return v, p.expect(")")
	case t.is("MISSING"), t.kind == tokenName, t.kind == tokenKeyword && p.peek().is("("):
		return item.Value{}, refused("Unsupported data type: %s under key %s%s", t.written, place, t.at())
	}
	return item.Value{}, malformed("Unexpected term")
}

func (p *parser) parameter() (item.Value, error) {
	if p.used == len(p.parameters) {
		return item.Value{}, errParameters
	}
	p.used++
	return p.parameters[p.used-1], nil
}

// number is a literal's value. AWS's parser has no words for an exponent that takes more than 32 bits.
func number(text, place string) (item.Value, error) {
	if !scaleFits(text) {
		return item.Value{}, malformed("")
	}
	v, err := item.Number(text)
	if e, ok := err.(*awsapi.Error); ok {
		return v, refused("%s under %s", e.Message, place)
	}
	return v, err
}

func scaleFits(text string) bool {
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.ParseInt(text[i+1:], 10, 32); err != nil {
			return false
		}
		mantissa = text[:i]
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	scale := int64(len(fraction)) - exponent
	return scale >= math.MinInt32 && scale <= math.MaxInt32
}

// members reads what is between brackets, with commas between, up to the closing one.
func (p *parser) members(closing string, member func(i int) error) error {
	for i := 0; !p.accept(closing); i++ {
		if i > 0 {
			if err := p.expect(","); err != nil {
				return malformed("Expected " + parserName(closing))
			}
		}
		if err := member(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) list(place string) (item.Value, error) {
	list := []item.Value{}
	err := p.members("]", func(i int) error {
		v, err := p.value(fmt.Sprintf("%s[%d]", place, i))
		list = append(list, v)
		return err
	})
	return item.List(list...), err
}

// tuple reads a map; or an item, in the places of whose values the attributes' names do not stand.
func (p *parser) tuple(place string, isItem bool) (item.Value, error) {
	members := item.Item{}
	err := p.members("}", func(int) error {
		key := p.next()
		if key.kind == tokenName {
			return refused("Tuple keys must be of type String. Actual type: VariableReference under %s%s", place, key.at())
		}
		if key.kind != tokenString {
			return malformed("Unexpected term")
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		if _, ok := members[key.text]; ok {
			return refused("Duplicate keys in tuple. Key: %s under %s%s", key.text, place, key.at())
		}
		inside := place
		if !isItem {
			inside += "." + key.text
		}
		v, err := p.value(inside)
		members[key.text] = v
		return err
	})
	return item.Map(members), err
}

// bag reads a set: of strings or of numbers, or of binaries where these are parameters.
func (p *parser) bag(place string) (item.Value, error) {
	var elements []item.Value
	err := p.members(">>", func(int) error {
		t := p.peek()
		v, err := p.value(place)
		if err == nil && (v.Kind.SetOf() == 0 || v.Kind != first(elements, v).Kind) {
			err = refused("Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags%s", t.at())
		}
		elements = append(elements, v)
		return err
	})
	if err != nil {
		return item.Value{}, err
	}
	if len(elements) == 0 {
		return item.Value{}, refused("Empty bags are not supported")
	}
	return setOf(elements)
}

func first(elements []item.Value, otherwise item.Value) item.Value {
	if len(elements) == 0 {
		return otherwise
	}
	return elements[0]
}

// setOf checks elements as those of a request's set are.
func setOf(elements []item.Value) (item.Value, error) {
	var v api.AttributeValue
	for _, e := range elements {
		switch e.Kind {
		case item.S:
			v.SS = append(v.SS, e.Text)
		case item.N:
			v.NS = append(v.NS, e.Text)
		case item.B:
			v.BS = append(v.BS, []byte(e.Text))
		}
	}
	return item.Older.ValueFromAPI(v)
}
