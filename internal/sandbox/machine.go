package sandbox

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryState is what this machine, or the control group that this program runs in, has.
type memoryState struct{ total, available int64 } // bytes; 0 where it is not known

// poolShare is what part of the memory is spent on what is made ahead.
const poolShare = 16

func defaultPoolMemory() int64 {
	total := readMemory().total
	if total == 0 {
		total = 2 << 30
	}
	return total / poolShare
}

// readMemory asks the kernel.
func readMemory() memoryState {
	m := memoryState{}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.total, m.available = infoField(b, "MemTotal"), infoField(b, "MemAvailable")
	}
	if limit, left := groupMemory(); limit > 0 && (m.total == 0 || limit < m.total) {
		m.total, m.available = limit, min(m.available, left)
	}
	return m
}

// infoField reads a field of /proc/meminfo, which has kilobytes.
func infoField(info []byte, name string) int64 {
	s := bufio.NewScanner(bytes.NewReader(info))
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// groupMemory is the limit of the control group that this program runs in, and what is left of it; 0
// where there is none. A container sees its own group as the root.
func groupMemory() (limit, left int64) {
	for _, g := range []struct{ dir, limit, used, stat, cache string }{
		{"/sys/fs/cgroup", "memory.max", "memory.current", "memory.stat", "inactive_file"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file"},
	} {
		limit := numberIn(g.dir, g.limit)
		used := numberIn(g.dir, g.used)
		if limit <= 0 || used <= 0 {
			continue
		}
		b, _ := os.ReadFile(filepath.Join(g.dir, g.stat))
		return limit, limit - used + statField(b, g.cache)
	}
	return 0, 0
}

func numberIn(dir, file string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n
}

func statField(stat []byte, name string) int64 {
	s := bufio.NewScanner(bytes.NewReader(stat))
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			n, _ := strconv.ParseInt(rest, 10, 64)
			return n
		}
	}
	return 0
}
