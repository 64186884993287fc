package python

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// mode is the variable that tells the bootstrap to start before it is known for which function.
const mode = "CIRRO_AHEAD"

// rehearse is the word for a program that has time.
const rehearse = "rehearse"

// ahead makes interpreters that wait: forked from a zygote where there is one, started anew else.
type ahead struct {
	*family.Program
	template jail.Template
}

func newAhead(in *interpreter, r *family.Runtime) *ahead {
	key := in.Path
	for _, b := range r.Binds {
		key += "\x00" + b.Source + "\x00" + b.Target
	}
	return &ahead{
		Program: &family.Program{
			Name: in.Path, Path: r.Path, Args: r.Args,
			Applied: func(name string) bool { return strings.HasPrefix(name, "PYTHON") },
		},
		template: jail.Template{Key: key, Binds: r.Binds, Command: jail.Command{Path: r.Path, Args: r.Args}},
	}
}

// Fork implements family.Forker.
func (a *ahead) Fork(_ context.Context, j jail.Jail, c jail.Command) (jail.Process, error) {
	f, ok := j.(jail.Forker)
	if !ok {
		return nil, jail.ErrNoZygote
	}
	return f.Fork(a.zygote(c), c)
}

// Saves implements family.Saver: what has no zygote says so itself, and what has one is saved on amd64.
func (a *ahead) Saves() bool { return runtime.GOARCH == "amd64" }

// zygote is the template for programs like one.
func (a *ahead) zygote(c jail.Command) *jail.Template {
	t := a.template
	t.Command.Env = append(slices.Clone(c.Env), mode+"=zygote")
	return &t
}

// Wait implements family.Ahead. Since nobody needs the program yet, a zygote that is loading is awaited.
func (a *ahead) Wait(ctx context.Context, j jail.Jail, c jail.Command) (jail.Process, error) {
	if f, ok := j.(jail.Forker); ok {
		f.Hatch(ctx, a.zygote(c)) // where it fails the program is started by itself
	}
	c.Args = []string{rehearse}
	p, err := a.Fork(ctx, j, c)
	if !errors.Is(err, jail.ErrNoZygote) {
		return p, err
	}
	c.Env = append(slices.Clone(c.Env), mode+"=wait")
	return a.Program.Wait(ctx, j, c)
}
