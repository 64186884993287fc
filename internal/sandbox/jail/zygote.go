package jail

import (
	"context"
	"errors"
)

// Template is a program that has loaded what many programs need, and forks them: a zygote. It runs in a
// root of its own outside every jail, with the rights to enter them, so that no code of anybody else's
// may ever run in it.
//
// It finds a socket at descriptor 3 that keeps datagrams apart, and speaks there as package python's
// zygote.py says.
type Template struct {
	Key     string // names it: equal keys share a zygote
	Binds   []Bind // of its root, as the jails have them
	Command Command
}

// Forker is a Jail that programs can be forked into.
type Forker interface {
	// Fork starts a program as a copy of what a template's zygote is. It waits as Command.Control says,
	// with the same walls around it as one that Start starts. Of the command its outputs, its Control
	// and its Args, which are words for the zygote, count. ErrNoZygote says that there is no zygote now; the
	// next one is being started. ErrZygoteLost says that it ended while it was asked.
	Fork(t *Template, c Command) (Process, error)
	// Hatch starts a template's zygote, if there is none, and waits until it has loaded. ErrNoZygote says
	// that it cannot be.
	Hatch(ctx context.Context, t *Template) error
}

// ErrNoZygote says that there is nothing to fork from.
var ErrNoZygote = errors.New("no zygote")

// ErrZygoteLost says that a zygote ended while it was asked. It may have forked: the jail is of no use but to
// be closed, and what was wanted is to be started in another.
var ErrZygoteLost = errors.New("the zygote ended while it was asked")
