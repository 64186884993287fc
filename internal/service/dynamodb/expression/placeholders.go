package expression

import (
	"maps"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// Placeholders are what ExpressionAttributeNames and ExpressionAttributeValues stand for, shared by the expressions of
// one request. They know which of them an expression used.
type Placeholders struct {
	names  map[string]string
	values item.Item
	used   map[string]bool // with # or :
}

// NewPlaceholders checks the names and values of a request; nil maps are parameters that were not given.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
func NewPlaceholders(names map[string]string, values map[string]api.AttributeValue, wording item.Wording) (*Placeholders, error) {
	p := &Placeholders{names: names}
	if err := checkKeys("ExpressionAttributeNames", names, '#'); err != nil {
		return nil, err
	}
	for _, key := range sortedEmpty(names) {
		return nil, invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", key)
	}
	if err := checkKeys("ExpressionAttributeValues", values, ':'); err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return p, nil
	}
	p.values = make(item.Item, len(values))
	for key, v := range values {
		value, err := wording.ValueFromAPI(v)
		if err != nil {
			return nil, firstInvalidValue(values, wording)
		}
		p.values[key] = value
	}
	return p, nil
}

func sortedEmpty(names map[string]string) []string {
	var empty []string
	for key, name := range names {
		if name == "" {
			empty = append(empty, key)
		}
	}
	slices.Sort(empty)
	return empty
}

// checkKeys is the error of a map that was given and is empty, or that has a key which is no placeholder.
func checkKeys[V any](parameter string, m map[string]V, sign byte) error {
	if m == nil {
		return nil
	}
	if len(m) == 0 {
		return invalid("%s must not be empty", parameter)
	}
	bad := ""
	for key := range m {
		isPlaceholder := len(key) > 1 && key[0] == sign && wordLength(key[1:]) == len(key)-1
		if !isPlaceholder && (bad == "" || key < bad) {
			bad = key
		}
		if key == "" {
			return invalid("%s contains invalid key: The expression can not be empty;", parameter)
		}
	}
	if bad != "" {
		return invalid("%s contains invalid key: Syntax error; key: \"%s\"", parameter, bad)
	}
	return nil
}

// firstInvalidValue is the error of the first value that has one, by key, so that the same request has the same answer.
func firstInvalidValue(values map[string]api.AttributeValue, wording item.Wording) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		_, err := wording.ValueFromAPI(values[key])
		switch {
		case err != nil && wording == item.Current:
			return err
		case err != nil:
			return invalid("ExpressionAttributeValues contains invalid value: %s for key %s", message(err), key)
		}
	}
	return nil
}

// message is what an error says, without its code.
func message(err error) string {
	if e, ok := err.(*awsapi.Error); ok {
		return e.Message
	}
	return err.Error()
}

func (p *Placeholders) use(key string) {
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[key] = true
}

func (p *Placeholders) name(key string) (string, error) {
	name, ok := p.names[key]
	if !ok {
		return "", problem("An expression attribute name used in the document path is not defined; attribute name: %s", key)
	}
	p.use(key)
	return name, nil
}

func (p *Placeholders) value(key string) (item.Value, error) {
	v, ok := p.values[key]
	if !ok {
		return v, problem("An expression attribute value used in expression is not defined; attribute value: %s", key)
	}
	p.use(key)
	return v, nil
}

// Unused is the error of names or values that no expression used. It is asked once all are parsed.
func (p *Placeholders) Unused() error {
	if len(p.used) == len(p.names)+len(p.values) {
		return nil
	}
	if unused := p.unused(maps.Keys(p.names)); unused != "" {
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", unused)
	}
	return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", p.unused(maps.Keys(p.values)))
}

func (p *Placeholders) unused(keys func(yield func(string) bool)) string {
	var unused []string
	for key := range keys {
		if !p.used[key] {
			unused = append(unused, key)
		}
	}
	slices.Sort(unused)
	return strings.Join(unused, ", ")
}

// Parameter is one of a request's parameters, and whether it was given.
type Parameter struct {
	Name  string
	Given bool
}

// CheckParameters refuses a request that mixes expressions with the older parameters, or has placeholders without an
// expression that could use them. Both lists are in the order in which AWS names them. A brief answer does not say which
// expressions could be.
func CheckParameters(expressions, older []Parameter, names map[string]string, values map[string]api.AttributeValue, brief bool) error {
	given, givenOlder := givenNames(expressions), givenNames(older)
	if len(given) > 0 && len(givenOlder) > 0 {
		return invalid("Can not use both expression and non-expression parameters in the same request: "+
			"Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(givenOlder, ", "), strings.Join(given, ", "))
	}
	if names != nil && len(given) == 0 {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if values == nil {
		return nil
	}
	return checkValueParameters(expressions, brief)
}

// checkValueParameters refuses values where no expression that can have some was given.
func checkValueParameters(expressions []Parameter, brief bool) error {
	var all []string
	for _, e := range expressions {
		if e.Name == "ProjectionExpression" {
			continue
		}
		if e.Given {
			return nil
		}
		all = append(all, e.Name)
	}
	if brief {
		return invalid("ExpressionAttributeValues can only be specified when using expressions")
	}
	verb := "is"
	if len(all) > 1 {
		verb = "are"
	}
	return invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null",
		strings.Join(all, " and "), verb)
}

func givenNames(parameters []Parameter) []string {
	var names []string
	for _, p := range parameters {
		if p.Given {
			names = append(names, p.Name)
		}
	}
	return names
}
