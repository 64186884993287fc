package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// message is a message that was published.
type message struct {
	ID         string               `json:"id"`
	Time       time.Time            `json:"time"`
	Text       string               `json:"text"`
	Texts      map[string]string    `json:"texts,omitempty"` // by protocol, where they differ
	Subject    string               `json:"subject,omitempty"`
	Attributes map[string]attribute `json:"attributes,omitempty"`
	Group      string               `json:"group,omitempty"`
	Dedup      string               `json:"dedup,omitempty"`
	Sequence   int64                `json:"sequence,omitempty"` // in a FIFO topic

	size int // in bytes, of what counts for the limit
}

// attribute is a message's attribute.
type attribute struct {
	Type   string `json:"type"`
	Text   string `json:"text,omitempty"`
	Binary []byte `json:"binary,omitempty"`
}

// textFor is what a protocol's subscribers get.
func (m *message) textFor(protocol string) string {
	if text, ok := m.Texts[protocol]; ok {
		return text
	}
	return m.Text
}

// dedupFor is the deduplication id that a FIFO queue is sent: the publisher's, or the hash of the content.
// https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
func (m *message) dedupFor(protocol string) string {
	if m.Dedup != "" {
		return m.Dedup
	}
	return contentHash(m.textFor(protocol))
}

func contentHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// publication is what a request published to a topic that keeps no order, on its way to the subscriptions.
type publication struct {
	Topic    topicRef  `json:"topic"`
	Messages []message `json:"messages"`
	TraceID  string    `json:"trace,omitempty"`
}

func (p *publication) encode() []byte { return encodeJSON(p) }

func decodePublication(b []byte) (*publication, error) {
	var p publication
	return &p, json.Unmarshal(b, &p)
}
