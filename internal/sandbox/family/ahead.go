package family

import (
	"context"

	"cirro/internal/sandbox/jail"
)

// Ahead makes programs of a runtime that are started in a jail before it is known which function they
// will run, and wait.
//
// A program that waits has descriptor 3, a stream socket. It writes one byte to it when it has loaded
// all that it can, and reads an Assignment as one line of JSON. By then the function's code and layers
// are mounted and the jail's limits hold. It makes the variables its environment, exactly; goes into the
// directory Task; closes descriptor 3; and goes on as a program does that was just started. At the end
// of the socket without an Assignment it ends.
type Ahead interface {
	// Key names what waits: runtimes with equal keys and binds share it.
	Key() string
	// Fits says whether a waiting program can become one with a function's own variables: some are
	// looked at when a program starts, and never again.
	Fits(variables map[string]string) bool
	// Wait starts a program that waits. Of the command, the outputs, Control and Env are set; the
	// directory Task is still empty.
	Wait(ctx context.Context, j jail.Jail, c jail.Command) (jail.Process, error)
}

// Forker is an Ahead that can make a program that waits in less time than one is started in. It is asked
// when one is needed at once. Where it cannot, its error is jail.ErrNoZygote or
// jail.ErrZygoteLost.
type Forker interface {
	Ahead
	Fork(ctx context.Context, j jail.Jail, c jail.Command) (jail.Process, error)
}

// Saver is an Ahead whose programs can be saved, where they were forked: what it forks later can then become
// what was saved. See Assignment.
type Saver interface {
	Ahead
	Saves() bool
}

// Assignment tells a waiting program what it is to be.
type Assignment struct {
	Environment map[string]string `json:"environment"`
	// Save has the program save itself, in the file that comes along, and then do nothing more. It writes a
	// line to descriptor 3: "saved", or "declined: " and the reason.
	Save *Save `json:"save,omitempty"`
	// Restore has the program become the one that is saved in the file that comes along, in its environment.
	// A program that cannot writes a line to descriptor 3, "declined: " and the reason, and goes on as any.
	Restore bool `json:"restore,omitempty"`
}

// Save says how a program is saved.
type Save struct {
	Most    int64    `json:"most"`              // bytes of the file
	Modules []string `json:"modules,omitempty"` // to be loaded before; none to save it once its function is initialised
}

// Program is an Ahead that starts a program as any other.
type Program struct {
	Name    string
	Path    string // inside
	Args    []string
	Applied func(name string) bool // whether a variable counts only when a program starts
}

// Key implements Ahead.
func (p *Program) Key() string { return p.Name }

// Fits implements Ahead.
func (p *Program) Fits(variables map[string]string) bool {
	for name := range variables {
		if AtExec(name) || p.Applied(name) {
			return false
		}
	}
	return true
}

// Wait implements Ahead.
func (p *Program) Wait(_ context.Context, j jail.Jail, c jail.Command) (jail.Process, error) {
	c.Path, c.Args, c.Dir = p.Path, p.Args, "/"
	return j.Start(c)
}
