// Package egress is a jail's way out: it ends, in this program, the TCP connections and UDP flows that a
// jail's programs send into the one network device they have, and carries on by dialing itself, where
// the policy permits it. Nothing is routed, so nothing on the host is changed, and no right is needed.
//
// It owns the policy, and the addresses that a jail sees. It knows nothing of functions, and never
// listens: nobody outside can begin to speak with what is inside.
package egress
