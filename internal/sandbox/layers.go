package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// merged returns a directory that shows layers as one, the later over the earlier, as /opt does.
// https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
func (f *Fleet) merged(layers []string) (string, error) {
	switch len(layers) {
	case 0:
		return "", nil
	case 1:
		return layers[0], nil
	}
	f.merging.Lock()
	defer f.merging.Unlock()
	sum := sha256.Sum256([]byte(strings.Join(layers, "\x00")))
	dir := filepath.Join(f.options.Dir, "layers", fmt.Sprintf("%x", sum[:16]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	for _, layer := range layers {
		if err := overlay(layer, half); err != nil {
			return "", fmt.Errorf("merge layers: %w", err)
		}
	}
	return dir, os.Rename(half, dir)
}

// overlay puts the tree from over the tree to: files by hard link where that is possible. What both
// have is taken from the former, unless both are directories.
func overlay(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return directoryAt(target)
		}
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if os.Link(path, target) == nil {
			return nil
		}
		return copyFile(path, target)
	})
}

// directoryAt makes path a directory, in place of anything else that is there.
func directoryAt(path string) error {
	st, err := os.Lstat(path)
	if err == nil && !st.IsDir() {
		if err := os.Remove(path); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, st.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
