package control

// A Message is what one side tells the other.
type Message interface {
	kind() byte
	fields(*coder)
}

// Build tells a new supervisor what to make the jail of. Beside it come the descriptors of the detached
// mounts, in the order of Targets.
type Build struct {
	Hostname  string
	Targets   []string // where the mounts go
	Files     []File   // to write
	Hide      []string // files to cover with /dev/null
	Listeners []string // IPv4 addresses and ports
	Confine   Confine  // without a filter it comes with Assign
}

// Confine is what the thread becomes that starts programs. /tmp has to be there by then.
type Confine struct {
	Tmp      int64 // bytes of a /tmp in memory; 0 where /tmp is among the targets
	Files    int64 // descriptors a process may open; 0 is no limit
	UID, GID int64 // what programs run as; -1 to keep the supervisor's
	Filter   []byte
}

// File is a file that the supervisor writes into the root before it becomes read-only.
type File struct{ Path, Content string }

// Built answers Build. Beside it come the listening sockets, in order.
type Built struct{}

// Assign completes the jail. Beside it come detached mounts, in the order of Targets.
type Assign struct {
	Targets []string
	Data    int64   // bytes a process may have for its data; for this and the next 0 is no limit
	Tasks   int64   // processes and threads that the user may have in this namespace
	Confine Confine // without a filter it came with Build
}

// Assigned answers Assign.
type Assigned struct{}

// Start runs a program. Beside it come its standard output and error, and its descriptor 3 if it has one.
type Start struct {
	ID   int64 // names the program in later messages
	Path string
	Args []string // with the program's name
	Env  []string
	Dir  string
}

// Started answers Start.
type Started struct{ ID int64 }

// All is the ID that means every process of the jail but the supervisor.
const All = 0

// Signal sends a program a signal. It has no answer.
type Signal struct{ ID, Signal int64 }

// Exited says that a program ended. Signal is 0 where it ended by itself.
type Exited struct{ ID, Code, Signal int64 }

// Failed answers what could not be done.
type Failed struct {
	What  string
	Errno int64
}

// Open asks a keeper for detached, read-only copies of what lies at the paths. The descriptors come
// with Opened.
type Open struct{ Paths []string }

// Opened answers Open.
type Opened struct{}

// Bear asks a keeper for a process in a role. Beside it come the process's connection to the host, and
// where it is to be born in one the descriptor of a control group.
type Bear struct{ Role string }

// Born answers Bear. Beside it comes a descriptor of the process.
type Born struct{ PID int64 }

// Dial connects to an IPv4 address and port inside.
type Dial struct{ Address string }

// Dialed answers Dial. Beside it comes the socket, which may still be connecting.
type Dialed struct{}

// Route asks for a network device inside that everything goes to which is not for the loopback one.
type Route struct {
	Address string // IPv4, of the device
	MTU     int64
}

// Routed answers Route. Beside it comes the device.
type Routed struct{}

func (*Build) kind() byte    { return 1 }
func (*Built) kind() byte    { return 2 }
func (*Assign) kind() byte   { return 3 }
func (*Assigned) kind() byte { return 4 }
func (*Start) kind() byte    { return 5 }
func (*Started) kind() byte  { return 6 }
func (*Signal) kind() byte   { return 7 }
func (*Exited) kind() byte   { return 8 }
func (*Failed) kind() byte   { return 9 }
func (*Open) kind() byte     { return 10 }
func (*Opened) kind() byte   { return 11 }
func (*Dial) kind() byte     { return 12 }
func (*Dialed) kind() byte   { return 13 }

func (*Route) kind() byte  { return 20 }
func (*Routed) kind() byte { return 21 }

func (*Bear) kind() byte { return 30 }
func (*Born) kind() byte { return 31 }

// blank makes an empty message of a kind, nil for an unknown one.
func blank(kind byte) Message {
	switch kind {
	case 1:
		return &Build{}
	case 2:
		return &Built{}
	case 3:
		return &Assign{}
	case 4:
		return &Assigned{}
	case 5:
		return &Start{}
	case 6:
		return &Started{}
	case 7:
		return &Signal{}
	case 8:
		return &Exited{}
	case 9:
		return &Failed{}
	case 10:
		return &Open{}
	case 11:
		return &Opened{}
	case 12:
		return &Dial{}
	case 13:
		return &Dialed{}
	case 20:
		return &Route{}
	case 21:
		return &Routed{}
	case 30:
		return &Bear{}
	case 31:
		return &Born{}
	}
	return nil
}

func (m *Build) fields(c *coder) {
	c.text(&m.Hostname)
	c.texts(&m.Targets)
	n := c.count(len(m.Files))
	if c.reading {
		m.Files = make([]File, n)
	}
	for i := range m.Files {
		c.text(&m.Files[i].Path)
		c.text(&m.Files[i].Content)
	}
	c.texts(&m.Hide)
	c.texts(&m.Listeners)
	m.Confine.fields(c)
}

func (m *Assign) fields(c *coder) {
	c.texts(&m.Targets)
	c.number(&m.Data)
	c.number(&m.Tasks)
	m.Confine.fields(c)
}

func (m *Confine) fields(c *coder) {
	c.number(&m.Tmp)
	c.number(&m.Files)
	c.number(&m.UID)
	c.number(&m.GID)
	filter := string(m.Filter)
	c.text(&filter)
	if m.Filter = nil; filter != "" {
		m.Filter = []byte(filter)
	}
}

func (m *Start) fields(c *coder) {
	c.number(&m.ID)
	c.text(&m.Path)
	c.texts(&m.Args)
	c.texts(&m.Env)
	c.text(&m.Dir)
}

func (m *Started) fields(c *coder) { c.number(&m.ID) }

func (m *Signal) fields(c *coder) {
	c.number(&m.ID)
	c.number(&m.Signal)
}

func (m *Exited) fields(c *coder) {
	c.number(&m.ID)
	c.number(&m.Code)
	c.number(&m.Signal)
}

func (m *Failed) fields(c *coder) {
	c.text(&m.What)
	c.number(&m.Errno)
}

func (m *Open) fields(c *coder) { c.texts(&m.Paths) }
func (m *Dial) fields(c *coder) { c.text(&m.Address) }
func (m *Bear) fields(c *coder) { c.text(&m.Role) }
func (m *Born) fields(c *coder) { c.number(&m.PID) }

func (m *Route) fields(c *coder) {
	c.text(&m.Address)
	c.number(&m.MTU)
}

func (*Routed) fields(*coder)   {}
func (*Built) fields(*coder)    {}
func (*Assigned) fields(*coder) {}
func (*Opened) fields(*coder)   {}
func (*Dialed) fields(*coder)   {}
