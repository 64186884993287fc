// Package digest is the hash functions that both of a machine's languages have, by the service's names for them.
//
// https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html#asl-intrsc-func-hash-calc
package digest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
)

var algorithms = map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}

// Of is the digest of a text in hexadecimal; ok is false where there is no such algorithm.
func Of(algorithm, text string) (sum string, ok bool) {
	made, ok := algorithms[algorithm]
	if !ok {
		return "", false
	}
	h := made()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)), true
}
