package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

const maxMessageAttributes = 10

// messageAttributes checks a message's attributes and sorts them by name.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
func messageAttributes(given map[string]api.MessageAttributeValue) ([]attribute, error) {
	if len(given) == 0 {
		return nil, nil
	}
	if len(given) > maxMessageAttributes {
		return nil, invalidParameterValue.New("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(given), maxMessageAttributes)
	}
	attributes := make([]attribute, 0, len(given))
	for name, v := range given {
		if err := checkAttributeName(name); err != nil {
			return nil, err
		}
		a, err := newAttribute(name, v)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, a)
	}
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return attributes, nil
}

// newAttribute checks one attribute's type and value. The words are those of
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json.
func newAttribute(name string, v api.MessageAttributeValue) (a attribute, err error) {
	a = attribute{name: name, kind: awsapi.Val(v.DataType)}
	if a.kind == "" {
		return a, invalidParameterValue.New("The message (user) attribute '%s' must contain a non-empty message attribute type.", name)
	}
	if len(a.kind) > 256 {
		return a, invalidParameterValue.New("Message (user) attribute types must be shorter than 256 Bytes")
	}
	base, _, _ := strings.Cut(a.kind, ".")
	switch base {
	case "Binary":
		a.binary, a.value = true, v.BinaryValue
	case "String", "Number":
		a.value = []byte(awsapi.Val(v.StringValue))
	default:
		return a, invalidParameterValue.New("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
	}
	if len(a.value) == 0 {
		return a, invalidParameterValue.New("Message (user) attribute '%s' must contain a non-empty value of type '%s'.", name, base)
	}
	if base == "Number" && !isNumber(string(a.value)) {
		return a, invalidParameterValue.New("Can't cast the value of message (user) attribute '%s' to a number.", name)
	}
	if !a.binary {
		if bad, found := forbidden(string(a.value)); found {
			return a, invalidParameterValue.New("Invalid binary character '#x%X' was found in the message attribute '%s' value, the set of allowed characters is %s.", bad, name, allowedCharacters)
		}
	}
	return a, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && !strings.ContainsAny(s, "xXpP_iInN")
}

func checkAttributeName(name string) error {
	if name == "" || len(name) > 256 {
		return invalidParameterValue.New("Message (user) attribute names must be between 1 and 256 Bytes")
	}
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return invalidParameterValue.New("You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.")
	}
	if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return invalidParameterValue.New("Message (user) attribute names can't start or end with a period, nor have two in succession.")
	}
	for i := range len(name) {
		if c := name[i]; !isWord(c) && c != '-' && c != '.' {
			return invalidParameterValue.New("Message (user) attribute name contains non-alphanumeric characters.")
		}
	}
	return nil
}

// isWord says whether c is a letter, a digit or an underscore.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// attributesSum is the MD5 of sorted attributes, in hexadecimal.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
func attributesSum(attributes []attribute) *string {
	if len(attributes) == 0 {
		return nil
	}
	h := md5.New()
	var length [4]byte
	write := func(b []byte) {
		binary.BigEndian.PutUint32(length[:], uint32(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	for i := range attributes {
		a := &attributes[i]
		write([]byte(a.name))
		write([]byte(a.kind))
		if a.binary {
			h.Write([]byte{2})
		} else {
			h.Write([]byte{1})
		}
		write(a.value)
	}
	return new(hex.EncodeToString(h.Sum(nil)))
}

// selection are the names of message attributes that a receiver asks for: whole, as prefixes, or all.
type selection []string

// wants says whether an attribute is asked for. "foo.*" asks for all names that begin with "foo".
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html#SQS-ReceiveMessage-request-MessageAttributeNames
func (s selection) wants(name string) bool {
	for _, asked := range s {
		if asked == "All" || asked == "*" || asked == name {
			return true
		}
		if prefix, ok := strings.CutSuffix(asked, ".*"); ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// of returns those that are asked for.
func (s selection) of(attributes []attribute) []attribute {
	var wanted []attribute
	for _, a := range attributes {
		if s.wants(a.name) {
			wanted = append(wanted, a)
		}
	}
	return wanted
}

// view is what a receiver sees of attributes.
func view(attributes []attribute) map[string]api.MessageAttributeValue {
	if len(attributes) == 0 {
		return nil
	}
	out := make(map[string]api.MessageAttributeValue, len(attributes))
	for _, a := range attributes {
		v := api.MessageAttributeValue{DataType: new(a.kind)}
		if a.binary {
			v.BinaryValue = a.value
		} else {
			v.StringValue = new(string(a.value))
		}
		out[a.name] = v
	}
	return out
}
