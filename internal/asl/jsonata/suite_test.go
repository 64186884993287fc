package jsonata

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cirro/internal/asl/document"
)

// suiteCase is a case of JSONata's official suite, as the library's module carries it.
type suiteCase struct {
	Expr            string          `json:"expr"`
	ExprFile        string          `json:"expr-file"`
	Data            json.RawMessage `json:"data"`
	Dataset         *string         `json:"dataset"`
	Bindings        map[string]any  `json:"bindings"`
	Result          json.RawMessage `json:"result"`
	UndefinedResult bool            `json:"undefinedResult"`
	Unordered       bool            `json:"unordered"`
	Code            string          `json:"code"`
	Error           json.RawMessage `json:"error"`
}

// TestSuite runs the official suite through this package. Cases that use $eval, which the service does not have, and
// those whose results are functions or in no order, are counted apart.
func TestSuite(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/recolabs/gnata").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	files, err := filepath.Glob(filepath.Join(root, "groups", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("the module carries no suite", err)
	}
	passed, apart := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []suiteCase
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
			err = json.Unmarshal(text, &cases)
		} else {
			cases = make([]suiteCase, 1)
			err = json.Unmarshal(text, &cases[0])
		}
		if err != nil {
			t.Fatal(file, err)
		}
		for i, c := range cases {
			switch verdict := c.run(t, root, file); verdict {
			case "":
				passed++
			case "apart":
				apart++
			default:
				t.Errorf("%s %d: %.200s: %.300s", strings.TrimPrefix(file, root), i, c.Expr, verdict)
			}
		}
	}
	t.Logf("%d cases passed, %d are apart", passed, apart)
	if passed < 1500 {
		t.Errorf("%d cases passed", passed)
	}
}

func (c *suiteCase) run(t *testing.T, root, file string) string {
	if c.ExprFile != "" {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.ExprFile))
		if err != nil {
			t.Fatal(err)
		}
		c.Expr = string(text)
	}
	if evals.MatchString(c.Expr) {
		return "apart" // not supported
	}
	data := c.Data
	if c.Dataset != nil {
		text, err := os.ReadFile(filepath.Join(root, "datasets", *c.Dataset+".json"))
		if err != nil {
			t.Fatal(err)
		}
		data = text
	}
	e, err := Parse(c.Expr)
	if err != nil {
		if c.Code != "" || len(c.Error) > 0 {
			return ""
		}
		return err.Error()
	}
	v, err := c.eval(e, data)
	failed := c.Code != "" || len(c.Error) > 0
	switch {
	case err != nil && strings.Contains(err.Error(), "took longer"):
		if failed {
			return ""
		}
		return time.Second.String() + " were not enough"
	case failed && err == nil:
		return "no error, but " + string(document.Encode(v))
	case failed:
		return ""
	case c.UndefinedResult || string(c.Result) == "null" && string(data) == "null":
		if err == ErrUndefined || !c.UndefinedResult && v == nil {
			return ""
		}
		return "not undefined"
	case err != nil && strings.Contains(err.Error(), "unsupported result type"):
		return "apart" // a function
	case err != nil:
		return err.Error()
	}
	want, err := document.Decode(c.Result)
	if err != nil || c.Unordered {
		return "apart"
	}
	if !document.Equal(v, want) {
		return string(document.Encode(v)) + ", not " + string(document.Encode(want))
	}
	return ""
}

// eval evaluates the case's expression about its data, which a machine's expressions have none of.
func (c *suiteCase) eval(e *Expression, data json.RawMessage) (any, error) {
	var about any
	if len(data) > 0 {
		v, err := document.Decode(data)
		if err != nil {
			return nil, err
		}
		if v != nil {
			if about, err = inward(v); err != nil {
				return nil, err
			}
		}
	}
	env := environments.New().(*environment)
	for name, v := range c.Bindings {
		env.bind(name, v)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*Limit)
	defer cancel()
	return outcome(ctx, env, e.compiled, about)
}
