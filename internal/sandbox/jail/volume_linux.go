package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// volumes makes file systems for /tmp: images on disk, since files in memory would count against a
// function's. An image has no name and its loop device frees itself: when the last mount is gone, or
// this process is, nothing is left.
type volumes struct {
	dir  string
	mkfs string

	lock      sync.Mutex
	templates map[int64]*template
	ready     map[int64][]int // detached mounts by size
	making    map[int64]bool
	closed    bool
	closing   chan struct{} // closed with it
	work      sync.WaitGroup
}

// template is an empty file system of one size; it is made once and copied.
type template struct {
	once sync.Once
	file *os.File
	err  error
}

// ahead is how many volumes of a size are kept ready, once one was asked for.
const ahead = 2

// usualVolume is the size that functions have if they do not ask for another.
const usualVolume = 512 << 20

var errNoVolumes = errors.New("since disk images cannot be mounted here")

func openVolumes(dir string) (*volumes, error) {
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		if mkfs, err = exec.LookPath("/usr/sbin/mkfs.ext4"); err != nil {
			return nil, fmt.Errorf("%w (mkfs.ext4 is not installed)", errNoVolumes)
		}
	}
	v := &volumes{dir: dir, mkfs: mkfs, templates: map[int64]*template{}, ready: map[int64][]int{}, making: map[int64]bool{}, closing: make(chan struct{})}
	stale, _ := filepath.Glob(filepath.Join(dir, "template-*"))
	for _, s := range stale {
		os.Remove(s)
	}
	fd, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", errNoVolumes, err)
	}
	fd.Close()
	v.prepare(usualVolume, 0)
	return v, nil
}

// take returns a detached mount that holds size bytes, root's, and writable by all.
func (v *volumes) take(size int64) (int, error) {
	v.lock.Lock()
	if r := v.ready[size]; len(r) > 0 {
		fd := r[len(r)-1]
		v.ready[size] = r[:len(r)-1]
		v.lock.Unlock()
		v.prepare(size, later)
		return fd, nil
	}
	v.lock.Unlock()
	v.prepare(size, later)
	return v.make(size)
}

// prepare makes volumes ahead, in the background and after a while.
func (v *volumes) prepare(size int64, after time.Duration) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if v.closed || v.making[size] {
		return
	}
	v.making[size] = true
	v.work.Go(func() {
		select {
		case <-time.After(after):
		case <-v.closing:
		}
		for v.fill(size) {
		}
	})
}

// fill makes one volume, unless there are enough.
func (v *volumes) fill(size int64) bool {
	v.lock.Lock()
	enough := v.closed || len(v.ready[size]) >= ahead
	if enough {
		v.making[size] = false
	}
	v.lock.Unlock()
	if enough {
		return false
	}
	fd, err := v.make(size)
	v.lock.Lock()
	defer v.lock.Unlock()
	switch {
	case err != nil:
		v.making[size] = false // whoever needs one next meets the error
		return false
	case v.closed:
		syscall.Close(fd)
	default:
		v.ready[size] = append(v.ready[size], fd)
	}
	return true
}

func (v *volumes) close() error {
	v.lock.Lock()
	v.closed = true
	close(v.closing)
	v.lock.Unlock()
	v.work.Wait()
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, r := range v.ready {
		closeAll(r)
	}
	for _, t := range v.templates {
		if t.file != nil {
			t.file.Close()
		}
	}
	return nil
}

func (v *volumes) make(size int64) (int, error) {
	t, err := v.template(size)
	if err != nil {
		return -1, err
	}
	image, err := os.OpenFile(v.dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return -1, err
	}
	defer image.Close()
	if err := copySparse(image, t); err != nil {
		return -1, fmt.Errorf("copy an image: %w", err)
	}
	return mountImage(image)
}

func (v *volumes) template(size int64) (*os.File, error) {
	v.lock.Lock()
	t := v.templates[size]
	if t == nil {
		t = &template{}
		v.templates[size] = t
	}
	v.lock.Unlock()
	t.once.Do(func() { t.file, t.err = v.format(size) })
	return t.file, t.err
}

// format makes an empty file system with room for size bytes of files.
func (v *volumes) format(size int64) (*os.File, error) {
	inodes := max(size/(16<<10), 1024)
	f, err := os.CreateTemp(v.dir, "template-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	// Beside the files there are the inodes, 256 bytes each, bitmaps and the like, and what ext4 keeps
	// to itself for splitting extents.
	reserve := min(size/50, 16<<20) + (1 << 20)
	if err := f.Truncate(size + inodes*256 + size/512 + reserve); err != nil {
		f.Close()
		return nil, err
	}
	out, err := exec.Command(v.mkfs, "-q", "-F", "-b", "4096", "-m", "0", "-I", "256", "-N", strconv.FormatInt(inodes, 10),
		"-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", f.Name()).CombinedOutput()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	if err := tidy(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// tidy makes the root of a new file system what /tmp is.
func tidy(image *os.File) error {
	fd, err := mountImage(image)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := unix.Unlinkat(fd, "lost+found", unix.AT_REMOVEDIR); err != nil {
		return err
	}
	root, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(root)
	if err := unix.Fchmod(root, 0o1777); err != nil {
		return err
	}
	return unix.Syncfs(root)
}

// copySparse copies what is written of a file, and leaves the holes.
func copySparse(to, from *os.File) error {
	s, err := from.Stat()
	if err != nil {
		return err
	}
	if err := to.Truncate(s.Size()); err != nil {
		return err
	}
	for at := int64(0); ; {
		start, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		for start < end {
			target := start
			n, err := unix.CopyFileRange(int(from.Fd()), &start, int(to.Fd()), &target, int(end-start), 0)
			if err != nil {
				return err
			}
			if n == 0 {
				return syscall.EIO
			}
		}
		at = end
	}
}

// mountImage mounts the file system of an image, detached.
func mountImage(image *os.File) (int, error) {
	loop, err := attachLoop(image)
	if err != nil {
		return -1, err
	}
	defer loop.Close() // the mount keeps it
	fs, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "source", loop.Name()); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	// Nothing here outlives the machine's running: no flushes. Freed blocks leave the image.
	for _, o := range []string{"nobarrier", "noinit_itable", "discard"} {
		if err := unix.FsconfigSetFlag(fs, o); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", o, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("mount an image: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOATIME)
	if err != nil {
		return -1, fmt.Errorf("fsmount: %w", err)
	}
	return fd, nil
}

// attachLoop puts an image behind a free loop device.
func attachLoop(image *os.File) (*os.File, error) {
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	for range 100 {
		n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a loop device: %w", err)
		}
		loop, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		// Without a cache of its own the device's pages are not counted twice.
		config := unix.LoopConfig{Fd: uint32(image.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if err != unix.EBUSY { // someone was faster
			return nil, fmt.Errorf("configure %s: %w", loop.Name(), err)
		}
	}
	return nil, errors.New("no loop device is free")
}

// openLoop opens a loop device, and makes its node where nothing else does.
func openLoop(n int) (*os.File, error) {
	name := "/dev/loop" + strconv.Itoa(n)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(7, uint32(n)))); err != nil && err != unix.EEXIST {
			return nil, err
		}
		f, err = os.OpenFile(name, os.O_RDWR, 0)
	}
	return f, err
}
