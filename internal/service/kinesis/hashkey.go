package kinesis

import (
	"crypto/md5"
	"encoding/binary"
	"math/big"
	"math/bits"

	api "cirro/internal/awsapi/kinesis"
)

// hashKey is a place among 2^128.
type hashKey struct{ Hi, Lo uint64 }

var lastKey = hashKey{^uint64(0), ^uint64(0)}

// hashOf is where a partition key lies.
// https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key
func hashOf(partitionKey string) hashKey {
	sum := md5.Sum([]byte(partitionKey))
	return hashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// parseHash reads a hash key in decimal.
func parseHash(text string) (hashKey, bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return hashKey{}, false
	}
	var b [16]byte
	n.FillBytes(b[:])
	return hashKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}, true
}

func (k hashKey) big() *big.Int {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, k.Hi), k.Lo)
	return new(big.Int).SetBytes(b)
}

func (k hashKey) String() string { return k.big().String() }

func (k hashKey) less(than hashKey) bool {
	return k.Hi < than.Hi || k.Hi == than.Hi && k.Lo < than.Lo
}

// next is the key after k, wrapping around.
func (k hashKey) next() hashKey {
	lo, carry := bits.Add64(k.Lo, 1, 0)
	return hashKey{k.Hi + carry, lo}
}

// previous is the key before k, wrapping around.
func (k hashKey) previous() hashKey {
	lo, borrow := bits.Sub64(k.Lo, 1, 0)
	return hashKey{k.Hi - borrow, lo}
}

// boundaries are where each of n even parts begins.
func boundaries(n int) []hashKey {
	starts := make([]hashKey, n)
	whole := new(big.Int).Lsh(big.NewInt(1), 128)
	part := new(big.Int).Div(whole, big.NewInt(int64(n)))
	for i := range starts {
		start := new(big.Int).Mul(part, big.NewInt(int64(i)))
		var b [16]byte
		start.FillBytes(b[:])
		starts[i] = hashKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	return starts
}

// placeOf is where a record goes: where its sender says, or else where its partition key lies.
func placeOf(partitionKey string, explicit *string) (hashKey, error) {
	if explicit == nil {
		return hashOf(partitionKey), nil
	}
	k, ok := parseHash(*explicit)
	if !ok {
		return k, api.InvalidArgumentException.New("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", *explicit)
	}
	return k, nil
}
