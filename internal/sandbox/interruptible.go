package sandbox

import (
	"sync"
	"syscall"
	"time"

	"cirro/internal/sandbox/jail"
)

// interruptible is work of a program that nobody waits for: it stands still while something is started.
type interruptible struct {
	lock    sync.Mutex
	process jail.Process // nil while there is none
	timer   *time.Timer  // nil until it was stopped
	stopped bool
}

// begin names the program whose work begins; nil is none.
func (i *interruptible) begin(p jail.Process) {
	i.lock.Lock()
	defer i.lock.Unlock()
	i.process = p
}

// end is called when it is done.
func (i *interruptible) end() {
	i.resume()
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.timer != nil {
		i.timer.Stop()
	}
	i.process, i.timer = nil, nil
}

// pause stops the program. Once it has stood still for as long as the nursery's patience lasts it is left
// alone: it would never be ready under a load that never rests.
func (i *interruptible) pause() {
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.process == nil || i.stopped {
		return
	}
	if i.timer == nil {
		i.timer = time.AfterFunc(patience, i.end)
	}
	i.stopped = i.process.Signal(syscall.SIGSTOP) == nil
}

// resume lets it go on.
func (i *interruptible) resume() {
	i.lock.Lock()
	defer i.lock.Unlock()
	if i.stopped {
		i.process.Signal(syscall.SIGCONT)
		i.stopped = false
	}
}
