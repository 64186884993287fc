package entry

import "syscall"

// Self is the program to start for any role.
const Self = "/proc/self/exe"

// Arguments are a program's by which it shows what it is.
func Arguments(role string) []string { return []string{"cirro-" + role} }

// Environment is what makes a program take a role. It is small and single: it mostly waits, and nothing is
// ever garbage enough to collect.
func Environment(role string) []string {
	return []string{Marker + "=" + role, "GOGC=off", "GOMAXPROCS=1", "GOTRACEBACK=none"}
}

// Namespaces are the ones that a process of a role has for itself, but for a user namespace, as flags of
// clone. That of control groups comes later, from inside, once a supervisor is in all its groups. A zygote
// has none of processes: it could enter only those that are under it.
func Namespaces(role string) uintptr {
	const walls = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	switch role {
	case Supervisor:
		return walls | syscall.CLONE_NEWPID
	case Zygote:
		return walls
	}
	return syscall.CLONE_NEWNS
}

// The numbers of capabilities (linux/capability.h).
const (
	capKill           = 5
	capSetGID         = 6
	capSetUID         = 7
	capSetPCap        = 8
	capNetBindService = 10
	capNetAdmin       = 12
	capSysChroot      = 18
	capSysPtrace      = 19
	capSysAdmin       = 21
)

// supervisorRights are what it takes to build a jail and to end programs in it.
var supervisorRights = []uintptr{capSysAdmin, capNetAdmin, capNetBindService, capSetPCap, capKill}

// zygoteRights are what it takes to enter jails and to give up all there.
const zygoteRights = 1<<capSetGID | 1<<capSetUID | 1<<capSetPCap | 1<<capSysChroot | 1<<capSysPtrace | 1<<capSysAdmin

// KeeperRights are what it takes to open mounts, and what a zygote needs to build its root and to be one.
var KeeperRights = []uintptr{capSetGID, capSetUID, capSetPCap, capSysChroot, capSysPtrace, capSysAdmin, capNetAdmin}

// InsideUser is the user and the group that a program sees itself as where only one can be had.
const InsideUser = 993

// nameUser gives this process, which is in a new user namespace under the keeper's, the user and the
// group that the keeper has. It must be readable yet: what belongs to others it may not write.
func nameUser() error {
	same := decimal(InsideUser) + " " + decimal(InsideUser) + " 1"
	for _, f := range [][2]string{{"setgroups", "deny"}, {"gid_map", same}, {"uid_map", same}} {
		fd, err := syscall.Open("/proc/self/"+f[0], syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		_, err = syscall.Write(fd, []byte(f[1]))
		syscall.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}
