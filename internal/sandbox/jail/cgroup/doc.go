// Package cgroup makes Linux control groups and limits what the processes in them use together: of
// version 1, of version 2, and of both side by side (hybrid).
//
// It owns where groups lie and what their files are called. It never decides a limit.
package cgroup
