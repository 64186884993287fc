// Command cirro is the whole platform: `cirro serve` runs it.
package main

import (
	"os"

	"cirro/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
