package main

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call makes a system call. It is "ok" where the kernel does it.
func call(number uintptr, arguments ...uintptr) string {
	var a [6]uintptr
	copy(a[:], arguments)
	_, _, e := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return outcome(e)
	}
	return "ok"
}

// outcome is the name of an error.
func outcome(err error) string {
	var e syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		if name := unix.ErrnoName(e); name != "" {
			return name
		}
	}
	return err.Error()
}

// all are the outcomes, each once.
func all(outcomes ...string) string {
	set := map[string]bool{}
	for _, o := range outcomes {
		set[o] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), " ")
}

// each are the outcomes of calls that differ in their arguments.
func each(number uintptr, arguments ...[]uintptr) string {
	var outcomes []string
	for _, a := range arguments {
		outcomes = append(outcomes, call(number, a...))
	}
	return all(outcomes...)
}

// memory is a piece of memory for the kernel to read and write.
var memory [1 << 16]byte

func buffer() uintptr { return uintptr(unsafe.Pointer(&memory[0])) }

// text puts a text where the kernel can read it.
func text(s string) uintptr {
	b := append([]byte(s), 0)
	held = append(held, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// held are texts that must stay where they are.
var held [][]byte

// others calls f for all numbers of processes but this one's.
func others(f func(pid int) []string) string {
	var outcomes []string
	for pid := 1; pid < 2048; pid++ {
		if unix.Tgkill(os.Getpid(), pid, 0) != nil {
			outcomes = append(outcomes, f(pid)...)
		}
	}
	return all(outcomes...)
}
