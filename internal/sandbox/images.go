package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/runtimeapi"
)

// kept is the image that a Spec's environments start from, or what is known of why there is none.
type kept struct {
	lock    sync.Mutex
	image   *image
	users   int  // starts that are using it
	dropped bool // it ends with its users
	used    time.Time
	closed  bool

	spec    *Spec     // of which modules are to be saved, nil for none
	modules []string  // what a start of it loaded from packages
	refused bool      // there is no use in trying
	resumes time.Time // when it may be tried again
}

// take gives the image out to a start, nil if there is none. The start gives it back by calling done.
func (k *kept) take() (i *image, done func()) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.image == nil || k.dropped {
		return nil, func() {}
	}
	k.used = time.Now()
	k.users++
	return k.image, sync.OnceFunc(func() {
		k.lock.Lock()
		defer k.lock.Unlock()
		k.users--
		k.end()
	})
}

// end lets go of an image that is dropped and that nobody uses. The lock is held.
func (k *kept) end() {
	if k.dropped && k.users == 0 {
		k.image.close()
		k.image, k.dropped = nil, false
	}
}

// put takes an image in.
func (k *kept) put(i *image) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.closed || k.image != nil {
		i.close()
		return
	}
	k.image, k.used = i, time.Now()
	k.spec, k.modules = nil, nil
}

// drop forgets the image, and returns how many bytes that frees.
func (k *kept) drop() int64 {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.image == nil || k.dropped {
		return 0
	}
	size := k.image.size
	k.dropped = true
	k.end()
	return size
}

// close forgets it for good.
func (k *kept) close() {
	k.lock.Lock()
	k.closed, k.spec = true, nil
	k.lock.Unlock()
	k.drop()
}

// there says whether there is an image.
func (k *kept) there() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.image != nil && !k.dropped
}

// state is the size of the image, 0 for none, and when it was last used.
func (k *kept) state() (int64, time.Time) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.image == nil || k.dropped {
		return 0, k.used
	}
	return k.image.size, k.used
}

// want notes what a start loaded from packages, if it is not known.
func (k *kept) want(s *Spec, modules []string) bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.closed || k.refused || k.image != nil || k.spec != nil {
		return false
	}
	k.spec, k.modules = s, modules
	return true
}

// next returns what is to be saved, if anything is.
func (k *kept) next(now time.Time) (*Spec, []string) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.spec == nil || k.image != nil || now.Before(k.resumes) {
		return nil, nil
	}
	return k.spec, k.modules
}

// futile says whether there is no use in trying.
func (k *kept) futile() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.refused || k.closed
}

// failed notes that an image could not be made. A reason of the program's own will be the same next time.
func (k *kept) failed(err error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	var why declined
	if errors.As(err, &why) {
		k.refused, k.spec = true, nil
		return
	}
	k.resumes = time.Now().Add(retry(err))
}

// retry is when to try again what failed. A zygote may be loading.
func retry(err error) time.Duration {
	if errors.Is(err, jail.ErrNoZygote) {
		return time.Second
	}
	return 30 * time.Second
}

// The most images that there are, and what part of the memory for what is made ahead they may take, as a
// divisor.
const (
	mostImages = 8
	imageShare = 2
)

// imageMemory is how much all images may take, 0 where there are none.
func (f *Fleet) imageMemory() int64 {
	if f.nursery.none() {
		return 0
	}
	return f.options.PoolMemory / imageShare
}

// imageSize is how large one may be.
func (f *Fleet) imageSize() int64 { return min(f.imageMemory(), 1<<30) }

// images lists the images, the one used longest ago first, and what they take.
func (f *Fleet) images() (all []*kept, total int64) {
	used := map[*kept]time.Time{}
	f.shelves.Range(func(_, v any) bool {
		k := &v.(*shelf).kept
		if size, at := k.state(); size > 0 {
			all, used[k] = append(all, k), at
			total += size
		}
		return true
	})
	slices.SortFunc(all, func(a, b *kept) int { return used[a].Compare(used[b]) })
	return all, total
}

// trimImages drops those used longest ago that are too many.
func (f *Fleet) trimImages(most int64) {
	all, total := f.images()
	for len(all) > 0 && (total > most || len(all) > mostImages) {
		total -= all[0].drop()
		all = all[1:]
	}
	f.imaged.Store(total)
}

// dropImages drops them all, and returns how many there were.
func (f *Fleet) dropImages() int {
	all, _ := f.images()
	f.trimImages(0)
	return len(all)
}

// saves says whether programs of a runtime can be saved.
func saves(a family.Ahead) bool {
	s, ok := a.(family.Saver)
	return ok && s.Saves()
}

// packagesPath is where a runtime tells which modules of packages its function's start has loaded.
const packagesPath = runtimeapi.Prefix + "packages"

// What a runtime may tell of modules. Whoever tells it may be the function: it is told to nobody else.
const (
	mostModules = 8000
	mostNames   = 512 << 10
)

var moduleName = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

// notePackages takes what a runtime tells. It is worth an image if there is none.
func (e *environment) notePackages(w http.ResponseWriter, r *http.Request) {
	var names []string
	if r.Method != http.MethodPost || json.NewDecoder(io.LimitReader(r.Body, mostNames)).Decode(&names) != nil ||
		len(names) > mostModules || slices.ContainsFunc(names, func(n string) bool { return !moduleName.MatchString(n) }) {
		http.Error(w, "no list of modules", http.StatusBadRequest)
		return
	}
	f := e.fleet
	sh := f.shelf(e.spec.ID)
	if !e.spec.SnapStart && len(names) > 0 && f.saveable(e.spec, sh) && sh.kept.want(e.spec, names) {
		f.wakeSaver()
	}
	w.WriteHeader(http.StatusAccepted)
}

// wakeSaver has the fleet look whether there is something to save.
func (f *Fleet) wakeSaver() {
	select {
	case f.toSave <- struct{}{}:
	default:
	}
}

// saver saves what is wanted, one after the other and in quiet moments, until the fleet ends.
func (f *Fleet) saver() {
	for {
		for f.nursery.rest() && f.saveOne() {
		}
		select {
		case <-f.stop:
			return
		case <-f.toSave:
		}
	}
}

// saveOne makes an image, and returns false if none is wanted.
func (f *Fleet) saveOne() bool {
	var k *kept
	var s *Spec
	var modules []string
	now := time.Now()
	f.shelves.Range(func(_, v any) bool {
		k = &v.(*shelf).kept
		s, modules = k.next(now)
		return s == nil
	})
	if s == nil || f.nursery.short.Load() || !f.enter() {
		return false
	}
	defer f.running.Done()
	i, err := f.savePackages(s, modules, f.imageSize())
	if err != nil {
		k.failed(err)
		time.AfterFunc(retry(err)+time.Millisecond, f.wakeSaver)
		return true
	}
	k.put(i)
	f.trimImages(f.imageMemory())
	return true
}
