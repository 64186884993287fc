package python

import (
	"context"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// Hatch starts the zygote of a runtime.
func Hatch(r *family.Runtime, j jail.Jail) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t := r.Ahead.(*ahead).template
	t.Command.Env = []string{"LANG=en_US.UTF-8", "TZ=:UTC", "PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=/var/lang/lib", "PYTHONPATH=/var/runtime", mode + "=zygote"}
	return j.(jail.Forker).Hatch(ctx, &t)
}
