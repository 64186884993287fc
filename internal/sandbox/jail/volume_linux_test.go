package jail

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What a volume is asked to hold it holds, and not much more.
func TestVolumesHoldWhatTheyShould(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting an image needs root")
	}
	v, err := openVolumes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, mb := range []int64{1, 64, 512, 1024, 10240} {
		fd, err := v.take(mb << 20)
		if err != nil {
			t.Errorf("%d MB: %v", mb, err)
			continue
		}
		var s unix.Statfs_t
		if err := unix.Fstatfs(fd, &s); err != nil {
			t.Error(err)
		}
		if got, want := int64(s.Bavail)*s.Bsize, mb<<20; got < want || got > want+want/32+(2<<20) {
			t.Errorf("of %d bytes %d are available", want, got)
		}
		if s.Ffree < 1000 {
			t.Errorf("there is room for %d files in %d MB", s.Ffree, mb)
		}
		syscall.Close(fd)
	}
}

// More volumes than the machine has loop devices at first.
func TestManyVolumes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting an image needs root")
	}
	v, err := openVolumes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for range 20 {
		fd, err := v.take(4 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
	}
}
