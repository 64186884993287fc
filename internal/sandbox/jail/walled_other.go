//go:build !linux

package jail

import (
	"fmt"
	"os"
	"runtime"
)

// openWalled refuses: the walls are made of what the Linux kernel alone has.
func openWalled(string, *os.File, Options) (Host, error) {
	return nil, fmt.Errorf("jails need Linux; this is %s", runtime.GOOS)
}
