package disk

import (
	"errors"
	"math"
	"strings"
	"syscall"
	"testing"
)

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	_, size, ok := measure(dir)
	if !ok {
		t.Skip("disks are measured on Linux alone")
	}
	if room, keep := Of(dir, 1<<20).Room(); keep != 1<<20 || room <= -keep || room > size {
		t.Errorf("room of %d beside %d, of %d", room, keep, size)
	}
	if _, keep := Of(dir, math.MaxInt64).Room(); keep != size/part {
		t.Errorf("%d of %d are kept", keep, size)
	}
	if room, _ := Of(dir+"/missing", 1<<20).Room(); room != math.MaxInt64 {
		t.Errorf("room of %d on no disk", room)
	}
}

func TestFull(t *testing.T) {
	err := error(Of("/", 1<<20).Full())
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the disk of / has ") {
		t.Error(err)
	}
}
