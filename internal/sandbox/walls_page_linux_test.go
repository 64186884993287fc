package sandbox_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const isolationPage = "../../docs/isolation.md"

// The page's list of attempts is between these lines.
const (
	listBegins = "<!-- attempts: written by CIRRO_UPDATE=1 go test ./internal/sandbox -run IsolationPage -->\n"
	listEnds   = "<!-- end of attempts -->\n"
)

// TestIsolationPage keeps the page's list in step with what is tried.
func TestIsolationPage(t *testing.T) {
	b, err := os.ReadFile(isolationPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), listBegins)
	_, after, closed := strings.Cut(rest, listEnds)
	if !ok || !closed {
		t.Fatalf("%s has no place for the list", isolationPage)
	}
	want := before + listBegins + attemptList() + listEnds + after
	if want == string(b) {
		return
	}
	if os.Getenv("CIRRO_UPDATE") == "" {
		t.Fatalf("%s is out of step: run this test with CIRRO_UPDATE=1", isolationPage)
	}
	if err := os.WriteFile(isolationPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func attemptList() string {
	var s strings.Builder
	n := 0
	for _, a := range areas() {
		fmt.Fprintf(&s, "\n### %s\n\n| | What is tried | What stops it |\n| --- | --- | --- |\n", a.title)
		for _, try := range a.attempts {
			n++
			fmt.Fprintf(&s, "| %d | %s | %s |\n", n, escaped(try.name), escaped(try.stops))
		}
	}
	return s.String() + "\n"
}

// escaped is text in a table of Markdown.
func escaped(s string) string { return strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(s) }

// TestAttemptsAreNamedApart keeps the list honest.
func TestAttemptsAreNamedApart(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range areas() {
		for _, try := range a.attempts {
			if seen[try.name] || try.stops == "" || try.want == "" {
				t.Errorf("%q is tried twice, or says too little", try.name)
			}
			seen[try.name] = true
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d attempts", len(seen))
	}
	t.Logf("%d attempts", len(seen))
}
