// Package cli is Cirro's command line: one file a command. Commands parse and print; what they do is
// in the packages they call.
package cli

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Serve   serve       `cmd:"" help:"Run the platform until SIGTERM or SIGINT."`
	Version versionLine `cmd:"" help:"Print the version."`
}

// terminal is where commands print.
type terminal struct{ out, err io.Writer }

// Run runs the command that args name and returns the exit status: 0, 1 for a failure, 2 for a command
// line that makes no sense.
func Run(args []string, out, errOut io.Writer) (status int) {
	var c commands
	parser, err := kong.New(&c,
		kong.Name("cirro"),
		kong.Description("A serverless cloud in one binary: AWS's SDKs, tools and templates are its clients."),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { panic(exited(code)) }),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			status = int(r)
		default:
			panic(r)
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errOut, "cirro: %v\n", err)
		return 2
	}
	if err := ctx.Run(&terminal{out, errOut}); err != nil {
		fmt.Fprintf(errOut, "cirro: %v\n", err)
		return 1
	}
	return 0
}

// exited unwinds the stack when the parser has answered by itself, as it does for --help.
type exited int

type versionLine struct{}

// Run prints the version that the Go toolchain stamped.
func (versionLine) Run(t *terminal) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintf(t.out, "cirro %s\n", version)
	return err
}
