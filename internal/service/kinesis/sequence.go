package kinesis

import (
	"hash/crc32"
	"math/big"
)

// A sequence number says a number of the store, a shard, and which stream it is of. It has 56 decimal digits, as
// Kinesis's have, and grows with the number and then with the shard: so those of a shard that follows another are
// greater than all of that one, too.
//
//	bits 185…188  2
//	bits 121…184  the number
//	bits  89…120  the shard
//	bits  57…88   the stream
//	bit   0       set where the shard ends

var sequenceBase = new(big.Int).Lsh(big.NewInt(1), 185)

const (
	numberShift = 121
	shardShift  = 89
	streamShift = 57
)

// sequence is the sequence number of a record of the stream.
func (st *stream) sequence(shard int, number int64) string {
	return st.sequenceOf(shard, number, false)
}

func (st *stream) sequenceOf(shard int, number int64, end bool) string {
	n := new(big.Int).SetUint64(uint64(number))
	n.Lsh(n, numberShift-shardShift).Or(n, new(big.Int).SetUint64(uint64(uint32(shard))))
	n.Lsh(n, shardShift-streamShift).Or(n, new(big.Int).SetUint64(uint64(st.mark)))
	n.Lsh(n, streamShift)
	if end {
		n.SetBit(n, 0, 1)
	}
	return n.Or(n, sequenceBase).String()
}

// markOf is what sequence numbers tell of a stream.
func markOf(id string) uint32 { return crc32.ChecksumIEEE([]byte(id)) }

// place is what a sequence number says.
type place struct {
	number int64
	shard  int
	mark   uint32
}

// parseSequence reads a number that sequence made.
func parseSequence(text string) (p place, ok bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() <= 0 || n.BitLen() != 186 {
		return p, false
	}
	n.Xor(n, sequenceBase)
	low := func(shift, bits uint) uint64 {
		mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1))
		return new(big.Int).And(new(big.Int).Rsh(n, shift), mask).Uint64()
	}
	p = place{number: int64(low(numberShift, 64)), shard: int(low(shardShift, 32)), mark: uint32(low(streamShift, 32))}
	return p, p.number >= 0
}
