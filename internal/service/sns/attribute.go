package sns

import (
	"regexp"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
)

// typeName is what a message attribute's type may be called.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
var typeName = regexp.MustCompile(`^(String|Number|Binary)(\..+)?$`)

// readAttributes checks the attributes of a message, in the words recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns.snapshot.json
func readAttributes(in map[string]api.MessageAttributeValue) (map[string]attribute, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]attribute, len(in))
	for _, name := range sortedKeys(in) {
		a, err := readAttribute(name, in[name])
		if err != nil {
			return nil, err
		}
		out[name] = a
	}
	return out, nil
}

func readAttribute(name string, v api.MessageAttributeValue) (attribute, error) {
	if err := checkAttributeName(name); err != nil {
		return attribute{}, err
	}
	a := attribute{Type: awsapi.Val(v.DataType), Text: awsapi.Val(v.StringValue), Binary: v.BinaryValue}
	refuse := func(format string, args ...any) (attribute, error) {
		return attribute{}, api.InvalidParameterValueException.New(format, args...)
	}
	if !typeName.MatchString(a.Type) {
		return refuse("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	binary := strings.HasPrefix(a.Type, "Binary")
	switch {
	case a.Text == "" && len(a.Binary) == 0:
		return refuse("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.Type)
	case binary && a.Text != "":
		return refuse("The message attribute '%s' with type '%s' must use field 'Binary'.", name, a.Type)
	case !binary && a.Text == "":
		return refuse("The message attribute '%s' with type '%s' must use field 'String'.", name, a.Type)
	}
	return a, nil
}

func checkAttributeName(name string) error {
	refuse := api.InvalidParameterValueException.New
	switch {
	case len(name) > 256:
		return refuse("Length of message attribute name must be less than 256 bytes.")
	case strings.HasPrefix(name, "."):
		return refuse("Invalid message attribute name starting with character '.' was found.")
	case strings.HasSuffix(name, "."):
		return refuse("Invalid message attribute name ending with character '.' was found.")
	}
	last := rune(0)
	for _, c := range name {
		switch {
		case c == '.' && last == '.':
			return refuse("Message attribute name can not have successive '.' character.")
		case !nameCharacter(c):
			return refuse("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", c)
		}
		last = c
	}
	return nil
}

func nameCharacter(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

// attributesSize is how much the attributes count for, in bytes: names, types and values.
func attributesSize(attributes map[string]attribute) (n int) {
	for name, a := range attributes {
		n += len(name) + len(a.Type) + len(a.Text) + len(a.Binary)
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
