// Package provided runs custom runtimes: provided.al2023 and provided.al2, whose program is in the
// function's code or in a layer.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html.
package provided

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"cirro/internal/sandbox/family"
)

// Provided is the family of custom runtimes.
type Provided struct{}

// New makes the family.
func New() *Provided { return &Provided{} }

// Find implements family.Family. The Runtime has no path: Entrypoint finds it in the function's code.
func (p *Provided) Find(name string) (*family.Runtime, error) {
	version := strings.Replace(name, ".", ":", 1) + ".v1" // as AWS writes it: provided:al2023.v1
	return &family.Runtime{Binds: family.System(), Version: version}, nil
}

// Entrypoint finds the program of a custom runtime in the function's code or in its layers, and checks
// that it can run here. The error's text is what AWS says.
func Entrypoint(code, layers string) (path string, err error) {
	for _, dir := range []struct{ outside, inside string }{{code, family.Task}, {layers, family.Opt}} {
		if dir.outside == "" {
			continue
		}
		file := filepath.Join(dir.outside, "bootstrap")
		st, err := os.Stat(file)
		if err != nil || st.IsDir() {
			continue
		}
		path := dir.inside + "/bootstrap"
		if reason := unfit(file, st); reason != nil {
			return "", fmt.Errorf("fork/exec %s: %w", path, reason)
		}
		return path, nil
	}
	//lint:ignore ST1005 AWS words it so
	return "", errors.New("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
}

// The reasons that a program cannot be started for, as the kernel words them.
var (
	errPermission = errors.New("permission denied")
	errFormat     = errors.New("exec format error")
	errMissing    = errors.New("no such file or directory")
)

// unfit says why a file cannot be executed, or nil.
func unfit(file string, st os.FileInfo) error {
	if st.Mode()&0o111 == 0 {
		return errPermission
	}
	f, err := os.Open(file)
	if err != nil {
		return errPermission
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return errFormat
	}
	switch {
	case bytes.Equal(head, []byte(elf.ELFMAG)):
		return unfitBinary(f)
	case bytes.HasPrefix(head, []byte("#!")):
		return unfitScript(f)
	default:
		return errFormat
	}
}

// machines are the ELF names of Go's architectures.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func unfitBinary(f *os.File) error {
	b, err := elf.NewFile(f)
	if err != nil || b.Machine != machines[runtime.GOARCH] {
		return errFormat
	}
	for _, p := range b.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return errFormat
		}
		return present(string(bytes.TrimRight(name, "\x00")))
	}
	return nil
}

func unfitScript(f *os.File) error {
	if _, err := f.Seek(2, io.SeekStart); err != nil {
		return errFormat
	}
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	fields := strings.Fields(strings.TrimSuffix(line, "\n"))
	if strings.HasSuffix(line, "\r\n") {
		return errMissing // the carriage return is a part of the name
	}
	if len(fields) == 0 {
		return errFormat
	}
	return present(fields[0])
}

// present checks for a program of the system; what the function itself carries is not looked at.
func present(path string) error {
	if strings.HasPrefix(path, family.Task+"/") || strings.HasPrefix(path, family.Opt+"/") {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return errMissing
	}
	return nil
}
