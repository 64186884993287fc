//go:build !linux

package postgrestest

import "syscall"

// endWithParent cannot be had here.
func endWithParent(*syscall.SysProcAttr) {}
