package validate

import "testing"

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		java, s string
		want    bool
	}{
		{`[a-zA-Z0-9-_]+`, "a-b_9", true},
		{`[a-zA-Z0-9-_]+`, "a b", false},
		{`[a-zA-Z0-9-_]+`, "a\n", false},
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, "123", false},
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, "live1", true},
		{`(^\$LATEST$)|((?!^[0-9]+$)([a-zA-Z0-9-_]+))`, "$LATEST", true},
		{`[\u0009\u000A\u000D\u0020-\u00FF]+`, "é\t\n", true},
		{`[\u0009\u000A\u000D\u0020-\u00FF]+`, "☃", false},
		{`[\p{L}\p{Z}\p{N}_.:/=+\-@]+`, "tag näme 1", true},
		{`[\p{L}\p{Z}\p{N}_.:/=+\-@]+`, "tag;", false},
		{`.*`, "a\nb", false},
		{`[\s\S]*`, "a\nb", true},
		{`^[0-9A-Za-z\.\-_]*(?<!\.)$`, "a.", false},
		{`^[0-9A-Za-z\.\-_]*(?<!\.)$`, "a.b", true},
		{`\d{12}`, "12345678901٢", false},
		{`\p{Alnum}+`, "aZ9", true},
		{`[^\x00-\x1F\x7F]+`, "a\x01", false},
		{`(.+){1,2000}x`, "abx", true},
		{`a++b`, "aab", true},
		{`[]a]+`, "]a", true},
		{`[[a]+`, "[a", true},
	} {
		if got := compile(c.java).matches(c.s); got != c.want {
			t.Errorf("%s on %q: %v", c.java, c.s, got)
		}
	}
}

// TestPatternTime checks that a pattern which backtracks without end is cut off.
func TestPatternTime(t *testing.T) {
	p := compile(`(?!x)(a+)+b`)
	if p.matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac") {
		t.Error("matched")
	}
}

func FuzzTranslate(f *testing.F) {
	for _, s := range []string{`[a-z`, `\p{`, `\u12`, `[^]]`, `(?!a)b`, `[\s\S]`} {
		f.Add(s, "abc")
	}
	f.Fuzz(func(t *testing.T, java, s string) {
		if len(java) < 100 {
			compile(java).matches(s)
		}
	})
}
