package awsapi

// Ready takes one member of an operation's output that the operation has written as JSON itself: what it reads from
// the store becomes bytes of the reply without becoming values first. The output lacks that member.
type Ready struct {
	Member string // its name on the wire; "" for none
	JSON   []byte // as awsJson has it; space to append to until then
}
