package s3

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"slices"
	"strings"

	api "cirro/internal/awsapi/s3"

	"github.com/minio/crc64nvme"
)

// defaultAlgorithm is that of the checksum that S3 makes where the client gives none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
const defaultAlgorithm = api.ChecksumAlgorithmCrc64nvme

// algorithms are the checksums that there are, with their hashes.
var algorithms = map[string]func() hash.Hash{
	api.ChecksumAlgorithmCrc32:     func() hash.Hash { return crc32.NewIEEE() },
	api.ChecksumAlgorithmCrc32c:    func() hash.Hash { return crc32.New(castagnoli) },
	api.ChecksumAlgorithmCrc64nvme: crc64nvmeHash,
	api.ChecksumAlgorithmSha1:      sha1.New,
	api.ChecksumAlgorithmSha256:    sha256.New,
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc64nvmeHash() hash.Hash { return crc64nvme.New() }

// sum is a checksum being made.
type sum struct{ hash.Hash }

// newSum begins a checksum. Its algorithm was checked.
func newSum(algorithm string) *sum { return &sum{algorithms[algorithm]()} }

// text is the checksum as S3 writes it.
func (s *sum) text() string { return base64.StdEncoding.EncodeToString(s.Sum(nil)) }

// checkAlgorithm answers what S3 does to a checksum that there is none of.
func checkAlgorithm(name string) error {
	if algorithms[name] == nil {
		return invalidRequest.New("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	return nil
}

// checksumsIn are the checksums in a request's headers.
type checksumsIn struct{ CRC32, CRC32C, CRC64NVME, SHA1, SHA256 *string }

// chosen is the one that is there, if any; more than one are refused.
func (c checksumsIn) chosen() (algorithm, value string, err error) {
	for _, a := range []struct {
		name  string
		value *string
	}{{api.ChecksumAlgorithmCrc32, c.CRC32}, {api.ChecksumAlgorithmCrc32c, c.CRC32C}, {api.ChecksumAlgorithmCrc64nvme, c.CRC64NVME},
		{api.ChecksumAlgorithmSha1, c.SHA1}, {api.ChecksumAlgorithmSha256, c.SHA256}} {
		if a.value == nil {
			continue
		}
		if algorithm != "" {
			return "", "", invalidRequest.New("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		algorithm, value = a.name, *a.value
	}
	return algorithm, value, nil
}

// of returns a checksum's value where it is of the algorithm.
func (c checksum) of(algorithm string) *string {
	if c.Algorithm != algorithm || c.Value == "" {
		return nil
	}
	return &c.Value
}

func (c checksum) crc32() *string     { return c.of(api.ChecksumAlgorithmCrc32) }
func (c checksum) crc32c() *string    { return c.of(api.ChecksumAlgorithmCrc32c) }
func (c checksum) crc64nvme() *string { return c.of(api.ChecksumAlgorithmCrc64nvme) }
func (c checksum) sha1() *string      { return c.of(api.ChecksumAlgorithmSha1) }
func (c checksum) sha256() *string    { return c.of(api.ChecksumAlgorithmSha256) }

// kind is the checksum's type, nil where there is none.
func (c checksum) kind() *string {
	if c.Value == "" {
		return nil
	}
	return &c.Type
}

// header is the name of the header that holds checksums of an algorithm, in lower case.
func checksumHeader(algorithm string) string { return "x-amz-checksum-" + strings.ToLower(algorithm) }

// givenSum is the checksum that came with a body, in a header or a trailer, if any.
func (got *received) givenSum() (checksum, bool) {
	for name := range algorithms {
		if value := got.given[checksumHeader(name)]; value != "" {
			return checksum{name, api.ChecksumTypeFullObject, value}, true
		}
	}
	return checksum{}, false
}

// composable are the algorithms whose checksum of a whole follows from those of its parts.
var composable = []string{api.ChecksumAlgorithmCrc32, api.ChecksumAlgorithmCrc32c, api.ChecksumAlgorithmCrc64nvme}

// typeFor is the type of an upload's checksum: the one asked for, or what the algorithm has by default.
func typeFor(algorithm, asked string) (string, error) {
	switch {
	case asked == "" && algorithm == api.ChecksumAlgorithmCrc64nvme:
		return api.ChecksumTypeFullObject, nil
	case asked == "":
		return api.ChecksumTypeComposite, nil
	case asked == api.ChecksumTypeFullObject && !slices.Contains(composable, algorithm),
		asked == api.ChecksumTypeComposite && algorithm == api.ChecksumAlgorithmCrc64nvme:
		return "", invalidRequest.New("The %s checksum type cannot be used with the %s checksum algorithm.", asked, strings.ToLower(algorithm))
	}
	return asked, nil
}

// combineCRC is the CRC of two pieces, one after the other, from theirs. Appending n bytes to a piece multiplies its
// CRC, a polynomial over GF(2), by x to the power of 8n, modulo the CRC's polynomial.
func combineCRC(algorithm string, first, second []byte, secondLength int64) []byte {
	switch algorithm {
	case api.ChecksumAlgorithmCrc32:
		return combine32(crc32.IEEE, first, second, secondLength)
	case api.ChecksumAlgorithmCrc32c:
		return combine32(crc32.Castagnoli, first, second, secondLength)
	}
	a, b := binary.BigEndian.Uint64(first), binary.BigEndian.Uint64(second)
	return binary.BigEndian.AppendUint64(nil, shift(nvmePolynomial, 64, a, secondLength)^b)
}

// nvmePolynomial is CRC64NVME's, its bits reversed.
const nvmePolynomial = 0x9a6c9329ac4bc9b5

func combine32(polynomial uint32, first, second []byte, secondLength int64) []byte {
	a, b := binary.BigEndian.Uint32(first), binary.BigEndian.Uint32(second)
	return binary.BigEndian.AppendUint32(nil, uint32(shift(uint64(polynomial), 32, uint64(a), secondLength))^b)
}

// shift multiplies a CRC by x to the power of 8n. Bits are reversed: the highest is that of x to the power of 0.
func shift(polynomial uint64, width int, crc uint64, n int64) uint64 {
	power := uint64(1) << (width - 1 - 8) // x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			crc = multiply(polynomial, width, crc, power)
		}
		power = multiply(polynomial, width, power, power)
	}
	return crc
}

// multiply multiplies two polynomials modulo a third.
func multiply(polynomial uint64, width int, a, b uint64) (product uint64) {
	for bit := uint64(1) << (width - 1); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= polynomial
		}
	}
	return product
}
