// Package entry is what a program becomes when it is started again as the first process of a jail.
//
// Its init takes over before main: it builds the jail's root, stands by as the supervisor that starts
// programs, reaps them and reports their ends, and never returns. In a program that is not started so
// it does nothing. It imports package syscall alone, so that Go initialises it before almost everything
// else a large program links, and every jail is there that much sooner.
package entry

// Marker is the environment variable that tells a program what to become.
const Marker = "CIRRO_JAIL"

// What a program can become: the supervisor of a jail; the zygote that programs are forked from into
// jails; or the keeper of a user namespace in which a host may do what its own user may not.
const (
	Supervisor = "supervisor"
	Zygote     = "zygote"
	Keeper     = "keeper"

	underKeeper = "supervisor-under-keeper"
)

// ControlFD is the descriptor at which a started program finds its connection to the host.
const ControlFD = 3
