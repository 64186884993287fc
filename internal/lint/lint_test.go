// Package lint holds the house rules as tests: formatting, vet, staticcheck, and which package may
// import which.
package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// root is the module's folder, seen from this package.
const root = "../.."

// output runs a command at the module's root and returns all that it printed.
func output(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func TestFormat(t *testing.T) {
	files, err := output(t, "git", "ls-files", "-co", "--exclude-standard", "*.go")
	if err != nil {
		t.Fatalf("git ls-files: %v\n%s", err, files)
	}
	unformatted, err := output(t, "gofmt", append([]string{"-l"}, strings.Fields(files)...)...)
	if err != nil || unformatted != "" {
		t.Errorf("make fmt changes these files (%v):\n%s", err, unformatted)
	}
}

func TestVet(t *testing.T) {
	if out, err := output(t, "go", "vet", "./..."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestStaticcheck(t *testing.T) {
	if out, err := output(t, "go", "tool", "staticcheck", "./..."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBuildsElsewhere keeps the platform buildable where its developers sit, though functions are
// walled in on Linux alone.
func TestBuildsElsewhere(t *testing.T) {
	cmd := exec.Command("go", "build", "./...")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOOS=darwin", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("GOOS=darwin go build ./...: %v\n%s", err, out)
	}
}

// layers says what the packages below a folder may import of this module, by prefix. The first row
// that fits a package counts.
var layers = []struct {
	below string
	may   []string
}{
	{"cirro/cmd/", []string{"cirro/internal/cli"}},
	{"cirro/internal/cli", []string{"cirro/internal/platform"}},
	{"cirro/internal/platform", []string{"cirro/internal/"}},
	{"cirro/internal/awsapi", []string{"cirro/internal/awsapi"}},
	{"cirro/internal/endpoint", []string{"cirro/internal/endpoint", "cirro/internal/awsapi", "cirro/internal/rawio"}},
	{"cirro/internal/store", []string{"cirro/internal/store", "cirro/internal/disk"}},
	{"cirro/internal/blob", []string{"cirro/internal/blob", "cirro/internal/disk"}},
	{"cirro/internal/disk", nil},
	{"cirro/internal/sandbox", []string{"cirro/internal/sandbox", "cirro/internal/rawio"}},
	{"cirro/internal/rawio", nil},
	{"cirro/internal/identity", []string{"cirro/internal/awsapi", "cirro/internal/store"}},
	{"cirro/internal/asl", []string{"cirro/internal/asl"}},
	{"cirro/internal/courier", []string{"cirro/internal/awsapi", "cirro/internal/store"}},
	{"cirro/internal/eventpattern", nil},
	{"cirro/internal/schedule", nil},
	{"cirro/internal/alarm", []string{"cirro/internal/store"}},
	{"cirro/internal/target", []string{"cirro/internal/target", "cirro/internal/awsapi", "cirro/internal/courier"}},
	{"cirro/internal/eventsource", []string{"cirro/internal/awsapi", "cirro/internal/store", "cirro/internal/courier",
		"cirro/internal/eventpattern"}},
	{"cirro/internal/service/", []string{"cirro/internal/awsapi", "cirro/internal/store", "cirro/internal/blob",
		"cirro/internal/identity", "cirro/internal/sandbox", "cirro/internal/courier", "cirro/internal/eventpattern",
		"cirro/internal/eventsource", "cirro/internal/target", "cirro/internal/schedule", "cirro/internal/alarm", "cirro/internal/asl"}},
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestDependencies keeps the arrows pointing one way; above all, no service imports another.
func TestDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "cirro/") && !allowed(p.ImportPath, imported) {
				t.Errorf("%s must not import %s: see the layers in this file and docs/architecture.md", p.ImportPath, imported)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list named %d packages only", seen)
	}
}

func allowed(importer, imported string) bool {
	if service, ok := serviceOf(importer); ok {
		if other, ok := serviceOf(imported); ok {
			return service == other
		}
	}
	for _, l := range layers {
		if !strings.HasPrefix(importer, l.below) {
			continue
		}
		for _, prefix := range l.may {
			if strings.HasPrefix(imported, prefix) {
				return true
			}
		}
		return false
	}
	return true // tools beside the program: test, bench, examples
}

func serviceOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "cirro/internal/service/")
	service, _, _ := strings.Cut(rest, "/")
	return service, ok
}
