package jail

import (
	"context"
	"os"

	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/egress"
)

// requestRoute asks the process of a new cell for a network device. Making it takes a while, so that the
// answer is taken only when a jail is made of the cell.
func (c *cell) requestRoute() error {
	m := &control.Route{Address: egress.Inside.String(), MTU: egress.MTU}
	_, _, err := c.process.conn.WriteMsgUnix(control.Encode(m), nil, nil)
	c.asked = err == nil
	return err
}

// openWay takes the device that the cell was asked for. A machine that gives none makes jails without a
// way out, and says so.
func (j *walledJail) openWay(ctx context.Context) error {
	h := j.host
	if !j.asked {
		return nil
	}
	_, files, err := j.link.answer(ctx)
	if ctx.Err() != nil || err == errGone {
		return err
	}
	if err != nil || len(files) != 1 {
		h.noWay(err)
		closeAll(files)
		return nil
	}
	j.way = h.gate.Open(os.NewFile(uintptr(files[0]), "device"))
	return nil
}

// noWay remembers that this machine gives no devices.
func (h *walledHost) noWay(err error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if err != nil {
		h.cutOff = "Functions reach the platform alone, and nothing outside: " + err.Error() + "."
	}
}

// resolving is the resolv.conf inside. Without a way out nobody answers, and waiting would be in vain.
func (j *walledJail) resolving() string {
	if j.way == nil {
		return "options attempts:1 timeout:1\n"
	}
	return "nameserver " + egress.Resolver.String() + "\n"
}
