package sandbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// The package that this is for, as it is published: with libraries of its own, and threads of theirs.
func TestPandasIsLoadedOnce(t *testing.T) {
	if os.Getenv("CIRRO_LONG") == "" {
		t.Skip("CIRRO_LONG is not set: it downloads pandas")
	}
	dir, err := os.MkdirTemp("/var/tmp", "cirro-layer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	pip := exec.Command("python3", "-m", "pip", "download", "-q", "--only-binary=:all:", "--python-version", "3.11", "--platform",
		"manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64", "-d", filepath.Join(dir, "wheels"), "pandas")
	if out, err := pip.CombinedOutput(); err != nil {
		t.Skipf("pandas cannot be downloaded: %v: %s", err, out)
	}
	wheels, _ := filepath.Glob(filepath.Join(dir, "wheels", "*.whl"))
	for _, w := range wheels {
		if out, err := exec.Command("python3", "-m", "zipfile", "-e", w, filepath.Join(dir, "layer", "python")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	b := newBench(t, jail.AsRoot, func(o *sandbox.Options) { o.PoolMemory = 1 << 30 })
	b.fleet.Expect("python3.11")
	eventually(t, "a program waits", func() bool { return b.fleet.Waiting("python3.11", true) > 0 })
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import sys
early = "pandas" in sys.modules
import os, numpy, pandas
def handler(event, context):
    if event == "end": os._exit(1)
    frame = pandas.DataFrame({"a": numpy.random.rand(4), "b": ["x", "y", "x", "y"]})
    product = numpy.ones((400, 400)) @ numpy.ones((400, 400))
    return [early, float(frame.groupby("b").a.sum().sum()) > 0, float(product[0, 0]), float(numpy.random.rand())]
`})
	s.Memory = 512
	s.Layers = []string{filepath.Join(dir, "layer")}
	b.imaged(s)
	drawn := map[string]bool{}
	for range 3 {
		b.invoke(s, `"end"`)
		got := string(b.invoke(s, "{}").Payload)
		if !strings.HasPrefix(got, "[true, true, 400.0, ") || drawn[got] {
			t.Errorf("got %s\n%s", got, strings.Join(b.log.all(), "\n"))
		}
		drawn[got] = true
	}
}
