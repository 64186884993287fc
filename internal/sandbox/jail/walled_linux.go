package jail

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/sandbox/jail/cgroup"
	"cirro/internal/sandbox/jail/egress"
)

// walledHost makes jails behind the kernel's walls.
type walledHost struct {
	mode     Mode
	owned    *os.File // holds the lock on the directory
	groups   *cgroup.Manager
	record   string // the file that says where the groups are
	mounts   opener
	volumes  *volumes // nil without
	spawner  *spawner
	bearer   bearer
	cells    *stock
	zygotes  zygotes
	filter   []byte
	log      *slog.Logger
	gate     *egress.Gate // nil where there is no way out
	warnings []string
	serial   atomic.Int64

	lock   sync.Mutex
	making sync.WaitGroup // of jails
	jails  map[*walledJail]struct{}
	users  []bool // which of the uids from firstUser on are taken
	closed bool
	late   string // a warning that came up after Open, "" for none
	cutOff string // that there is no way out, "" for none
}

// openWalled makes a host and proves with a first jail that this machine lets it. What a first time
// costs is paid then.
func openWalled(dir string, owned *os.File, o Options) (Host, error) {
	modes := []Mode{o.Mode}
	if o.Mode == "" {
		modes = []Mode{AsRoot, Rootless}
	}
	var refused []string
	for _, m := range modes {
		h := &walledHost{mode: m, log: o.Log, jails: map[*walledJail]struct{}{}}
		if o.Egress != "" && o.Egress != egress.None {
			h.gate = egress.NewGate(o.Egress)
		}
		err := h.open(dir)
		if err == nil {
			err = h.prove()
		}
		if err == nil {
			h.owned = owned
			return h, nil
		}
		h.Close()
		refused = append(refused, err.Error())
	}
	return nil, errors.New(strings.Join(refused, "; "))
}

func (h *walledHost) open(dir string) (err error) {
	if h.mode == AsRoot && os.Geteuid() != 0 {
		return errors.New("only root can make jails without user namespaces")
	}
	if h.filter, err = seccompFilter(); err != nil {
		return err
	}
	if err = h.openGroups(dir); err != nil {
		return err
	}
	h.spawner = startSpawner()
	h.cells = &stock{raise: h.raise}
	if h.mode == AsRoot {
		h.mounts, h.bearer = localOpener{}, h.spawner
		h.volumes, err = openVolumes(dir)
	} else if k, err := startKeeper(h.spawner); err != nil {
		return err
	} else {
		h.mounts, h.bearer = k, k
	}
	if errors.Is(err, errNoVolumes) {
		h.warnings = append(h.warnings, "Files in /tmp take memory, "+err.Error()+".")
		err = nil
	}
	h.warn()
	return err
}

// openGroups makes the control groups. Where they lie depends on where the program was started: a file
// tells the next host, which may be started elsewhere, what to remove.
func (h *walledHost) openGroups(dir string) error {
	record := filepath.Join(dir, "groups")
	stale, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	name := groupName(dir)
	for _, d := range strings.Fields(string(stale)) {
		if filepath.Base(d) == name {
			cgroup.Clear(d) // in vain where another user ran it
		}
	}
	if h.groups, err = cgroup.Open(name); err != nil {
		return err
	}
	h.record = record
	return os.WriteFile(record, []byte(strings.Join(h.groups.Directories(), "\n")), 0o600)
}

// groupName is what the control groups of a host are called: another host has another directory.
func groupName(dir string) string {
	sum := fnv.New64a()
	sum.Write([]byte(dir))
	return "cirro-" + strconv.FormatUint(sum.Sum64(), 36)
}

// warn says what the walls lack.
func (h *walledHost) warn() {
	what := map[string]string{
		"memory": "Memory is limited only loosely, and for each process apart",
		"cpu":    "Processor time is not limited",
		"pids":   "The number of processes is limited only loosely",
	}
	for _, c := range h.groups.Missing() {
		h.warnings = append(h.warnings, what[c]+": this user may not use the control group controller "+c+".")
	}
	if h.mode == Rootless {
		h.warnings = append(h.warnings, "Files in /tmp take memory, since mounting disk images needs root.")
		if os.Geteuid() == 0 {
			h.warnings = append(h.warnings, "Functions run with root's own user id, in a user namespace.")
		}
	}
}

// prove makes a jail and destroys it.
func (h *walledHost) prove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	j, err := h.New(ctx, Config{Hostname: "proof", Listeners: []string{"127.0.0.1:1"}})
	if err != nil {
		return err
	}
	defer j.Close()
	return j.(*walledJail).assign(ctx, Limits{Memory: 64 << 20, Pids: 16, CPU: 1, Files: 64}, nil)
}

func (h *walledHost) Mode() Mode { return h.mode }

func (h *walledHost) Warnings() []string {
	h.lock.Lock()
	defer h.lock.Unlock()
	all := slices.Clip(h.warnings)
	for _, w := range []string{h.late, h.cutOff} {
		if w != "" {
			all = append(all, w)
		}
	}
	return all
}

func (h *walledHost) Close() error {
	h.lock.Lock()
	h.closed = true
	h.lock.Unlock()
	h.making.Wait()
	h.lock.Lock()
	jails := slices.Collect(maps.Keys(h.jails))
	h.lock.Unlock()
	h.zygotes.close()
	var errs []error
	for _, j := range jails {
		errs = append(errs, j.Close())
	}
	if h.cells != nil {
		errs = append(errs, h.cells.close())
	}
	if h.mounts != nil {
		errs = append(errs, h.mounts.close())
	}
	if h.volumes != nil {
		errs = append(errs, h.volumes.close())
	}
	if h.groups != nil {
		errs = append(errs, h.groups.Close())
	}
	if h.record != "" {
		errs = append(errs, os.Remove(h.record))
	}
	if h.spawner != nil {
		h.spawner.close()
	}
	if h.owned != nil {
		h.owned.Close()
	}
	return errors.Join(errs...)
}

// admit counts a jail in, and gives it a uid that no other has. The caller says when it is made.
func (h *walledHost) admit(j *walledJail) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.closed {
		return os.ErrClosed
	}
	h.making.Add(1)
	h.jails[j] = struct{}{}
	for n, taken := range h.users {
		if !taken {
			h.users[n], j.user = true, n
			return nil
		}
	}
	j.user = len(h.users)
	h.users = append(h.users, true)
	return nil
}

func (h *walledHost) release(j *walledJail) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if _, ok := h.jails[j]; ok {
		delete(h.jails, j)
		h.users[j.user] = false
	}
}
