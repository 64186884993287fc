package pebble

// group is the messages that a queue has of one group, in order.
type group struct {
	name    string
	seqs    []uint64
	leased  int    // of seqs
	leaving int    // acknowledged, and not yet durably so
	turn    uint64 // its place among the groups that may be leased, or 0
	taken   int    // of seqs, by the receiver that leases now
}

// remove takes one of the first messages out.
func (g *group) remove(seq uint64) {
	for i, s := range g.seqs {
		if s == seq {
			copy(g.seqs[1:i+1], g.seqs[:i])
			g.seqs = g.seqs[1:]
			return
		}
	}
}

func (g *group) idle() bool { return g.leased == 0 && g.leaving == 0 }
