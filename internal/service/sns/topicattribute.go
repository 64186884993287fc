package sns

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// Values of topics' attributes.
const (
	scopeTopic        = "Topic"
	scopeMessageGroup = "MessageGroup"
	signatureSHA1     = "1"
	signatureSHA256   = "2"
)

func isTrue(value string) bool { return strings.EqualFold(value, "true") }

// feedback reports whether an attribute says where the outcome of deliveries is logged. They are kept.
// https://docs.aws.amazon.com/sns/latest/dg/sns-topic-attributes.html
func feedback(name string) bool {
	for _, protocol := range []string{"HTTP", "Firehose", "Lambda", "Application", "SQS"} {
		if rest, ok := strings.CutPrefix(name, protocol); ok {
			return slices.Contains([]string{"SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"}, rest)
		}
	}
	return false
}

// setAttribute sets one attribute of a topic, as CreateTopic or SetTopicAttributes says.
// https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
func (t *topic) setAttribute(name, value string, creating bool) error {
	prefix := "Invalid parameter: "
	if creating {
		prefix += "Attributes Reason: "
	}
	refuse := func(format string, args ...any) error {
		return api.InvalidParameterException.New(prefix+format, args...)
	}
	switch {
	case name == "DisplayName" && utf8.RuneCountInString(value) > 100:
		return refuse("DisplayName")
	case name == "DisplayName", name == "KmsMasterKeyId":
	case name == "Policy":
		if _, err := parsePolicy(value); err != nil {
			return err
		}
	case name == "DeliveryPolicy":
		if _, err := parseTopicDelivery(value); err != nil {
			return refuse("DeliveryPolicy: %s", err)
		}
		value = shownTopicDelivery(value)
	case name == "SignatureVersion" && value != signatureSHA1 && value != signatureSHA256:
		return refuse("SignatureVersion")
	case name == "SignatureVersion":
	case name == "TracingConfig" && value != "PassThrough" && value != "Active":
		return refuse("TracingConfig")
	case name == "TracingConfig":
	case name == "FifoTopic" && creating:
		if !isTrue(value) {
			return nil // AWS does not keep it
		}
		value = "true"
	case name == "ContentBasedDeduplication" && t.fifo():
		if !isTrue(value) && !strings.EqualFold(value, "false") {
			return refuse("ContentBasedDeduplication: Invalid value [%s]. Must be true or false.", value)
		}
		value = strings.ToLower(value)
	case name == "FifoThroughputScope" && t.fifo():
		if value != scopeTopic && value != scopeMessageGroup {
			return refuse("FifoThroughputScope")
		}
	case name == "ArchivePolicy":
		return unsupported("the archives of FIFO topics (ArchivePolicy)")
	case feedback(name):
		if rate, err := strconv.Atoi(value); strings.HasSuffix(name, "SampleRate") && (err != nil || rate < 0 || rate > 100) {
			return refuse("%s", name)
		}
	case name == "ContentBasedDeduplication":
		return refuse("Content-based deduplication can only be set for FIFO topics")
	case name == "FifoThroughputScope":
		return refuse("FifoThroughputScope can only be set for FIFO topics")
	case creating:
		return refuse("Unknown attribute %s", name)
	default:
		return refuse("AttributeName")
	}
	if value == "" && name != "DisplayName" {
		delete(t.Attributes, name)
		return nil
	}
	t.Attributes[name] = value
	return nil
}

// SetTopicAttributes sets one attribute of a topic.
// https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
func (s *Service) SetTopicAttributes(ctx context.Context, in *api.SetTopicAttributesInput) (*api.SetTopicAttributesOutput, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	return nil, s.changeTopic(ctx, ref, func(_ store.Tx, t *topic) error {
		return t.setAttribute(awsapi.Val(in.AttributeName), awsapi.Val(in.AttributeValue), false)
	})
}

// GetTopicAttributes returns a topic's attributes.
// https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html
func (s *Service) GetTopicAttributes(ctx context.Context, in *api.GetTopicAttributesInput) (*api.GetTopicAttributesResponse, error) {
	out := &api.GetTopicAttributesResponse{}
	err := s.viewTopic(ctx, in.TopicArn, func(r store.Reader, t *topic) error {
		confirmed, pending := 0, 0
		for sub, err := range store.Records[subscription](r, subscriptions(t.topicRef)) {
			if err != nil {
				return err
			}
			if sub.Pending {
				pending++
			} else {
				confirmed++
			}
		}
		out.Attributes = t.attributes()
		out.Attributes["SubscriptionsConfirmed"] = strconv.Itoa(confirmed)
		out.Attributes["SubscriptionsPending"] = strconv.Itoa(pending)
		return nil
	})
	return out, err
}

// attributes are a topic's attributes as a client sees them, less the counts of its subscriptions.
func (t *topic) attributes() map[string]string {
	a := map[string]string{
		"DisplayName":             "",
		"Owner":                   t.Account,
		"Policy":                  t.policyText(),
		"SubscriptionsDeleted":    strconv.Itoa(t.Deleted),
		"TopicArn":                t.arn(),
		"EffectiveDeliveryPolicy": t.effectiveDelivery().text(),
	}
	if t.fifo() {
		a["ContentBasedDeduplication"] = "false"
	}
	for name, value := range t.Attributes {
		a[name] = value
	}
	return a
}

// contentDedup reports whether messages without a deduplication id are told apart by their content.
func (t *topic) contentDedup() bool { return t.Attributes["ContentBasedDeduplication"] == "true" }

// signatureVersion is how the topic's messages are signed.
func (t *topic) signatureVersion() string {
	if v := t.Attributes["SignatureVersion"]; v != "" {
		return v
	}
	return signatureSHA1
}

// policy is a topic's policy, with its members in their order.
type policy struct {
	Version   string      `json:"Version,omitempty"`
	ID        string      `json:"Id,omitempty"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Sid          string          `json:"Sid,omitempty"`
	Effect       string          `json:"Effect"`
	Principal    json.RawMessage `json:"Principal,omitempty"`
	NotPrincipal json.RawMessage `json:"NotPrincipal,omitempty"`
	Action       json.RawMessage `json:"Action,omitempty"`
	NotAction    json.RawMessage `json:"NotAction,omitempty"`
	Resource     json.RawMessage `json:"Resource,omitempty"`
	NotResource  json.RawMessage `json:"NotResource,omitempty"`
	Condition    json.RawMessage `json:"Condition,omitempty"`
}

func (p *policy) text() string { return string(encodeJSON(p)) }

// parsePolicy reads a policy; its Statement may be one or a list.
func parsePolicy(text string) (*policy, error) {
	invalid := api.InvalidParameterException.New("Invalid parameter: Policy Error: null")
	var p policy
	var one struct {
		policy
		Statement statement
	}
	switch {
	case json.Unmarshal([]byte(text), &p) == nil:
	case json.Unmarshal([]byte(text), &one) == nil:
		p = one.policy
		p.Statement = []statement{one.Statement}
	default:
		return nil, invalid
	}
	if len(p.Statement) == 0 {
		return nil, invalid
	}
	for _, st := range p.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" {
			return nil, invalid
		}
	}
	return &p, nil
}

func (t *topic) policyText() string {
	if text := t.Attributes["Policy"]; text != "" {
		return text
	}
	return t.defaultPolicy().text()
}

// ownerActions are what the default policy lets a topic's owner do.
var ownerActions = []string{"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
	"SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"}

func (t *topic) defaultPolicy() *policy {
	return &policy{Version: "2008-10-17", ID: "__default_policy_ID", Statement: []statement{{
		Sid: "__default_statement_ID", Effect: "Allow",
		Principal: json.RawMessage(`{"AWS":"*"}`),
		Action:    encodeJSON(ownerActions),
		Resource:  encodeJSON(t.arn()),
		Condition: encodeJSON(map[string]any{"StringEquals": map[string]string{"AWS:SourceOwner": t.Account}}),
	}}}
}

// encodeJSON encodes what can always be encoded, without escapes for HTML.
func encodeJSON(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings, numbers and valid JSON
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
