package bundle

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// Errors of Unpack. Errors of any other kind are the machine's: a full disk, say.
var (
	ErrUnreadable = errors.New("bundle: unreadable")
	ErrEmpty      = errors.New("bundle: empty")
	ErrTooLarge   = errors.New("bundle: too large")
)

// Limits bound what a package may unpack to.
type Limits struct {
	Bytes   int64 // of all files together
	Entries int   // files, links and directories; 0 for the default of 200,000
}

const (
	defaultEntries = 200_000
	maxName        = 2 << 10 // bytes of a path
	maxLink        = 4 << 10 // bytes of a link's target
)

// Unpack unpacks a zip of the given size into the directory dir, which it makes, and returns how many
// bytes the files hold. All is readable by everyone and writable by its owner alone; execute
// permissions and times are kept. Links are made where they stay within dir. Where it fails, dir is
// gone.
func Unpack(dir string, r io.ReaderAt, size int64, limits Limits) (unpacked int64, err error) {
	z, err := open(r, size)
	if err != nil {
		return 0, err
	}
	if limits.Entries == 0 {
		limits.Entries = defaultEntries
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	u := unpacker{root: root, limits: limits, dirs: map[string]bool{".": true}}
	if err := u.all(z.File); err != nil {
		return 0, err
	}
	return u.bytes, os.Chmod(dir, 0o755)
}

// open reads the zip's directory.
func open(r io.ReaderAt, size int64) (*zip.Reader, error) {
	if size == 0 {
		return nil, ErrEmpty
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, unreadable("%v", err)
	}
	if len(z.File) == 0 {
		return nil, ErrEmpty
	}
	return z, nil
}

type unpacker struct {
	root    *os.Root
	limits  Limits
	bytes   int64
	entries int
	dirs    map[string]bool
	links   []link
}

type link struct{ name, target string }

// all unpacks files and directories first and links last, so that nothing is ever written through a
// link.
func (u *unpacker) all(files []*zip.File) error {
	if len(files) > u.limits.Entries {
		return fmt.Errorf("%w: %d entries", ErrTooLarge, len(files))
	}
	var declared uint64
	for _, f := range files {
		if declared += f.UncompressedSize64; declared > uint64(u.limits.Bytes) || f.UncompressedSize64 > uint64(u.limits.Bytes) {
			return fmt.Errorf("%w: over %d bytes", ErrTooLarge, u.limits.Bytes)
		}
	}
	for _, f := range files {
		if err := u.entry(f); err != nil {
			return nameProblem(err)
		}
	}
	return u.makeLinks()
}

func (u *unpacker) entry(f *zip.File) error {
	name, err := clean(f.Name)
	if err != nil {
		return err
	}
	if f.Flags&0x1 != 0 {
		return unreadable("%q is encrypted", f.Name)
	}
	mode := f.Mode()
	switch {
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		return u.directory(name)
	case mode&fs.ModeSymlink != 0:
		return u.link(name, f)
	case mode.IsRegular():
		return u.file(name, f)
	}
	return unreadable("%q is no file", f.Name)
}

// clean is the path of an entry within the package.
func clean(name string) (string, error) {
	if len(name) > maxName {
		return "", unreadable("a name of %d bytes", len(name))
	}
	if name == "" || strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) {
		return "", unreadable("the name %q", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", unreadable("the name %q", name)
		}
	}
	return path.Clean(name), nil
}

func (u *unpacker) count() error {
	if u.entries++; u.entries > u.limits.Entries {
		return fmt.Errorf("%w: over %d entries", ErrTooLarge, u.limits.Entries)
	}
	return nil
}

// directory makes a directory and those above it.
func (u *unpacker) directory(name string) error {
	if u.dirs[name] {
		return nil
	}
	if err := u.directory(path.Dir(name)); err != nil {
		return err
	}
	if err := u.count(); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	u.dirs[name] = true
	return u.root.Chmod(name, 0o755) // whatever the umask
}

// open makes the directory of an entry that is none itself, counts the entry, and opens its body.
func (u *unpacker) open(name string, f *zip.File) (io.ReadCloser, error) {
	if err := u.directory(path.Dir(name)); err != nil {
		return nil, err
	}
	if err := u.count(); err != nil {
		return nil, err
	}
	body, err := f.Open()
	if err != nil {
		return nil, unreadable("%q: %v", f.Name, err)
	}
	return body, nil
}

func (u *unpacker) file(name string, f *zip.File) error {
	body, err := u.open(name, f)
	if err != nil {
		return err
	}
	defer body.Close()
	mode := f.Mode()&0o111 | 0o644
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := u.copy(out, body); err != nil {
		out.Close()
		return err
	}
	if err := errors.Join(out.Chmod(mode), out.Close()); err != nil {
		return err
	}
	return u.stamp(name, f.Modified)
}

// copy copies a file's body, whatever length the zip declares for it.
func (u *unpacker) copy(out io.Writer, body io.Reader) error {
	source := &source{r: io.LimitReader(body, u.limits.Bytes-u.bytes+1)}
	n, err := io.Copy(out, source)
	u.bytes += n
	switch {
	case u.bytes > u.limits.Bytes:
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, u.limits.Bytes)
	case source.err != nil:
		return unreadable("%v", source.err)
	}
	return err
}

// source keeps a reader's error apart from that of the writer it is copied to.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// stamp keeps a file's time: Python trusts a compiled module only while its source has the same.
func (u *unpacker) stamp(name string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return u.root.Chtimes(name, t, t)
}

// link remembers a link, whose target is the entry's body.
func (u *unpacker) link(name string, f *zip.File) error {
	body, err := u.open(name, f)
	if err != nil {
		return err
	}
	defer body.Close()
	target, err := io.ReadAll(io.LimitReader(body, maxLink+1))
	if err != nil || len(target) > maxLink || len(target) == 0 || !utf8.Valid(target) {
		return unreadable("the link %q", f.Name)
	}
	u.links = append(u.links, link{name, string(target)})
	return nil
}

// makeLinks makes the links, and then follows each as the kernel would, within the root: only that
// finds a climb that is spread over several of them.
func (u *unpacker) makeLinks() error {
	for _, l := range u.links {
		if path.IsAbs(l.target) || strings.ContainsRune(l.target, 0) {
			return unreadable("the link %q to %q", l.name, l.target)
		}
		if err := u.root.Symlink(l.target, l.name); err != nil {
			return nameProblem(err)
		}
	}
	for _, l := range u.links {
		if _, err := u.root.Stat(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unreadable("the link %q to %q: %v", l.name, l.target, err)
		}
	}
	return nil
}

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnreadable}, args...)...)
}

// nameProblem tells the errors that a file system has with an entry's name from those of the machine.
func nameProblem(err error) error {
	for _, errno := range []syscall.Errno{syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG,
		syscall.EINVAL, syscall.EILSEQ, syscall.ELOOP, syscall.ENOTEMPTY} {
		if errors.Is(err, errno) {
			return unreadable("%v", err)
		}
	}
	return err
}
