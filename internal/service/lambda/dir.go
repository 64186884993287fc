package lambda

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// codeRoot holds the unpacked packages, each in a directory named by its hash; scratch holds what is
// not finished.
func (s *Service) codeRoot() string { return filepath.Join(s.Dir, "code") }
func (s *Service) scratch() string  { return filepath.Join(s.Dir, "scratch") }

// prepareDir makes the directories. What was unpacked before the machine last started is thrown away:
// unpacking does not wait for the disk, so that a power cut may have left empty files.
func (s *Service) prepareDir() error {
	mark := filepath.Join(s.Dir, "boot")
	boot := bootID()
	before, err := os.ReadFile(mark)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if boot == "" || string(before) != boot {
		if err := os.RemoveAll(s.codeRoot()); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(s.scratch()); err != nil {
		return err
	}
	for _, dir := range []string{s.codeRoot(), s.scratch()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, []byte(boot), 0o644)
}

// bootID names the time since the machine started, or is "" where that cannot be known.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
