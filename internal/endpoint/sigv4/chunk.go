package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
)

// Chain checks the signatures of a streamed body: each holds the one before it, the first the request's.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type Chain struct {
	key      []byte
	time     string
	scope    string
	previous string
	hash     hash.Hash
}

// Chain starts the chain behind the request's signature.
func (s *Signature) Chain(secret string) *Chain {
	return &Chain{key: Key(secret, s.Date, s.Region, s.Service), time: s.timeText, scope: s.Scope(),
		previous: s.Signature, hash: sha256.New()}
}

// Write takes part of the chunk's data.
func (c *Chain) Write(b []byte) (int, error) { return c.hash.Write(b) }

// CheckChunk ends a chunk and checks its signature.
func (c *Chain) CheckChunk(signature string) error {
	text := "AWS4-HMAC-SHA256-PAYLOAD\n" + c.time + "\n" + c.scope + "\n" + c.previous + "\n" + HexSHA256(nil) + "\n" +
		hex.EncodeToString(c.hash.Sum(nil))
	c.hash.Reset()
	return c.check(text, signature)
}

// CheckTrailer checks the signature of the trailer, whose lines are canonical: "name:value\n".
func (c *Chain) CheckTrailer(lines, signature string) error {
	return c.check("AWS4-HMAC-SHA256-TRAILER\n"+c.time+"\n"+c.scope+"\n"+c.previous+"\n"+HexSHA256([]byte(lines)), signature)
}

func (c *Chain) check(text, signature string) error {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte(text))
	want := hex.EncodeToString(h.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) != 1 {
		return Invalid.New(mismatch)
	}
	c.previous = want
	return nil
}
