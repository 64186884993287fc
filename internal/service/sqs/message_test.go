package sqs

import (
	"bytes"
	"reflect"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

func TestMessageEncoding(t *testing.T) {
	for _, m := range []message{
		{body: []byte("b")},
		{sender: "s", trace: "Root=1", queue: "q", dedup: "d", group: "g", sum: [16]byte{1, 2}, body: bytes.Repeat([]byte("long"), 1000),
			attributes: []attribute{{name: "a", kind: "String.x", value: []byte("v")}, {name: "b", kind: "Binary", binary: true, value: []byte{0, 1}}}},
	} {
		got, err := decodeMessage(m.encode())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v came back as %+v: %v", m, got, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	m := message{sender: "s", queue: "q", body: []byte("b"), attributes: []attribute{{name: "a", kind: "Binary", binary: true, value: []byte("v")}}}
	f.Add(m.encode())
	f.Add([]byte{})
	f.Add([]byte{messageVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		if again, err := decodeMessage(m.encode()); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v came back as %+v: %v", m, again, err)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	f.Add(receipt{queue: "q", id: "i", token: "t"}.String())
	f.Add("AQ==")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseReceipt(text)
		if !ok {
			return
		}
		if again, ok := parseReceipt(r.String()); !ok || again != r {
			t.Errorf("%+v came back as %+v", r, again)
		}
	})
}

func TestQueueAddresses(t *testing.T) {
	r := &awsapi.Request{Region: region, Principal: awsapi.Principal{Account: account}}
	for url, want := range map[string]address{
		"http://127.0.0.1:4566/000000000000/q":                       {"000000000000", region, "q"},
		"http://localhost/queue/000000000000/q.fifo":                 {"000000000000", region, "q.fifo"},
		"https://sqs.us-east-2.amazonaws.com/000000000000/q":         {"000000000000", "us-east-2", "q"},
		"http://sqs.us-east-2.localhost:4566/000000000000/q/":        {"000000000000", "us-east-2", "q"},
		"https://us-gov-west-1.queue.amazonaws.com/000000000000/q":   {"000000000000", "us-gov-west-1", "q"},
		"https://sqs.localhost.localstack.cloud:4566/000000000000/q": {"000000000000", region, "q"},
		"q":              {account, region, "q"},
		"000000000000/q": {"000000000000", region, "q"},
	} {
		if got, err := queueAt(r, url); err != nil || got != want {
			t.Errorf("%s is %+v, not %+v: %v", url, got, want, err)
		}
	}
	for _, url := range []string{"", "http://localhost", "http://localhost/", "http://localhost/x/q", "http://localhost/123/q"} {
		if got, err := queueAt(r, url); err == nil {
			t.Errorf("%q is %+v", url, got)
		}
	}
}

func FuzzQueueAt(f *testing.F) {
	f.Add("http://127.0.0.1:4566/000000000000/q")
	f.Add("https://sqs.us-east-2.amazonaws.com/000000000000/q")
	f.Add("://")
	r := &awsapi.Request{Region: region, Principal: awsapi.Principal{Account: account}}
	f.Fuzz(func(t *testing.T, url string) {
		if a, err := queueAt(r, url); err == nil && (a.name == "" || !awsapi.IsAccount(a.account)) {
			t.Errorf("%q is %+v", url, a)
		}
	})
}

// The sums are AWS's own: https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json,
// test_receive_message_message_attribute_names_filters and test_send_message_with_binary_attributes.
func TestAttributeSums(t *testing.T) {
	text := func(v string) api.MessageAttributeValue {
		return api.MessageAttributeValue{DataType: new("String"), StringValue: &v}
	}
	three, err := messageAttributes(map[string]api.MessageAttributeValue{"Hello": text("There"), "General": text("Kenobi"), "Help.Me": text("Me")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		asked selection
		want  string
	}{
		{selection{"All"}, "4c360f3fdafd970e05fae2f149d997f5"},
		{selection{".*"}, "4c360f3fdafd970e05fae2f149d997f5"},
		{selection{"*"}, "4c360f3fdafd970e05fae2f149d997f5"},
		{selection{"Hello", "General"}, "fca026605781cb4126a1e9044df24232"},
		{selection{"Hello", "None"}, "a311262e065454b75da111d535b8dacd"},
		{selection{"Hel.*"}, "83fee93c1bcd8b9a5a923ffacdc636c7"},
		{selection{"AWS."}, ""},
	} {
		if got := awsapi.Val(attributesSum(c.asked.of(three))); got != c.want {
			t.Errorf("%q sums to %s, not %s", c.asked, got, c.want)
		}
	}
	binary, err := messageAttributes(map[string]api.MessageAttributeValue{"attr1": {DataType: new("Binary"),
		BinaryValue: []byte("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := awsapi.Val(attributesSum(binary)); got != "8cbe4db156db8a94db8b801b7addb984" {
		t.Errorf("the binary attribute sums to %s", got)
	}
}

func TestForbiddenCharacters(t *testing.T) {
	for text, want := range map[string]rune{"plain\t\r\n": -1, "é \U0001F600 \ufffd \uf8ff": -1, "a\x00": 0, "a\x1f": 0x1f, "\ufffe": 0xfffe, "x\uffff": 0xffff} {
		bad, found := forbidden(text)
		if found != (want >= 0) || found && bad != want {
			t.Errorf("%q has %x: %v", text, bad, found)
		}
	}
}
