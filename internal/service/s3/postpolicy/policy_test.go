package postpolicy

import (
	"encoding/base64"
	"maps"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

const example = `{"expiration":"2026-01-16T12:00:00.000Z","conditions":[{"bucket":"b"},["starts-with","$key","user/"],
	{"acl":"public-read"},["eq","$X-Amz-Meta-A","1"],["starts-with","$Content-Type","image/"],["content-length-range",10,"20"]]}`

func TestCheck(t *testing.T) {
	p, err := Parse(encode(example))
	if err != nil {
		t.Fatal(err)
	}
	if p.Min != 10 || p.Max != 20 {
		t.Errorf("sizes %d to %d", p.Min, p.Max)
	}
	good := map[string]string{"bucket": "b", "key": "user/x", "acl": "public-read", "x-amz-meta-a": "1", "content-type": "image/png,image/gif",
		"policy": "p", "x-amz-signature": "s", "x-ignore-me": "1"}
	if err := p.Check(good, now); err != nil {
		t.Error(err)
	}
	if err := p.Check(good, now.AddDate(0, 0, 2)); err == nil || err.Error() != "Policy expired." {
		t.Errorf("later: %v", err)
	}
	for field, c := range map[string]struct{ value, want string }{
		"key":          {"other/x", `Policy Condition failed: ["starts-with", "$key", "user/"]`},
		"acl":          {"private", `Policy Condition failed: ["eq", "$acl", "public-read"]`},
		"content-type": {"image/png,text/html", `Policy Condition failed: ["starts-with", "$content-type", "image/"]`},
		"bucket":       {"c", `Policy Condition failed: ["eq", "$bucket", "b"]`},
		"tagging":      {"x", "Extra input fields: tagging"},
	} {
		bad := maps.Clone(good)
		bad[field] = c.value
		if err := p.Check(bad, now); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", field, err, c.want)
		}
	}
}

func TestWhatIsNoPolicy(t *testing.T) {
	for text, want := range map[string]string{
		`nonsense`:                           "Invalid JSON.",
		`{}`:                                 "Policy missing expiration.",
		`{"expiration":"x"}`:                 "Policy missing conditions.",
		`{"expiration":"x","conditions":[]}`: "Invalid 'expiration' value: 'x'",
		`{"expiration":"2026-01-16T12:00:00Z","conditions":[["like","$key",""]]}`:           "Unknown operation: like",
		`{"expiration":"2026-01-16T12:00:00Z","conditions":[["eq","key",""]]}`:              `Invalid Condition: ["eq","key",""]`,
		`{"expiration":"2026-01-16T12:00:00Z","conditions":[{"a":"1","b":"2"}]}`:            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
		`{"expiration":"2026-01-16T12:00:00Z","conditions":[["content-length-range",9,3]]}`: "Invalid content-length-range: range out of bounds",
	} {
		if _, err := Parse(encode(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse("!"); err == nil {
		t.Error("what is no base64 is taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode(example))
	f.Add(encode(`{"expiration":"2026-01-16T12:00:00Z","conditions":[[1,2,3],{}]}`))
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			_ = p.Check(map[string]string{"key": "k"}, now)
		}
	})
}
