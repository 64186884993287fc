package jail

import (
	"fmt"
	"os"
	"sync"

	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/entry"
)

// firstUser is the first of the uids, and gids, that jails made as root have, each its own. No system
// gives people or services such high ones.
const firstUser = 1 << 20

// hidden are the files of /proc that tell of the machine what is nobody's business inside.
var hidden = []string{
	"/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
	"/proc/sysrq-trigger", "/proc/timer_list",
}

// rootBinds are what every root has of the host's: devices, and of /etc what programs need to load
// libraries and to trust certificates.
var rootBinds = sync.OnceValue(func() []Bind {
	var binds []Bind
	for _, p := range []string{
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
		"/etc/alternatives", "/etc/ca-certificates", "/etc/ld.so.cache", "/etc/mime.types", "/etc/pki", "/etc/ssl",
	} {
		if _, err := os.Stat(p); err == nil {
			binds = append(binds, Bind{Source: p, Target: p})
		}
	}
	return binds[:len(binds):len(binds)]
})

// etc is what a jail has in /etc of its own. The user's name is AWS Lambda's.
func (j *walledJail) etc(hostname string) []control.File {
	user := entry.InsideUser
	if j.host.mode == AsRoot {
		user = firstUser + j.user
	}
	if hostname == "" {
		hostname = "localhost"
	}
	return []control.File{
		{Path: "/etc/passwd", Content: fmt.Sprintf(
			"root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:%d:%d::/home/sbx_user1051:/sbin/nologin\n", user, user)},
		{Path: "/etc/group", Content: fmt.Sprintf("root:x:0:\nsbx_user1051:x:%d:\n", user)},
		{Path: "/etc/hosts", Content: "127.0.0.1 localhost " + hostname + "\n"},
		{Path: "/etc/hostname", Content: hostname + "\n"},
		{Path: "/etc/nsswitch.conf", Content: "passwd: files\ngroup: files\nhosts: files dns\n"},
		{Path: "/etc/resolv.conf", Content: j.resolving()},
	}
}
