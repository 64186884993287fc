package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// ErrToken is the answer for a task token that nobody issued.
var ErrToken = errors.New("states: no such task token")

// token names a frame at its turn, under a MAC: nobody can make one up.
func (e *Engine) token(run string, frame, turn int64) string {
	b := binary.AppendVarint(nil, frame)
	b = binary.AppendVarint(b, turn)
	b = append(b, run...)
	return base64.StdEncoding.EncodeToString(append(e.mac(b), b...))
}

// Token is the token of a task.
func (e *Engine) Token(t *Task) string { return e.token(t.Run, t.Frame, t.Turn) }

const macSize = 16

func (e *Engine) mac(b []byte) []byte {
	h := hmac.New(sha256.New, e.key)
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

// untoken is what a token names.
func (e *Engine) untoken(token string) (run string, frame, turn int64, err error) {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) < macSize || !hmac.Equal(b[:macSize], e.mac(b[macSize:])) {
		return "", 0, 0, ErrToken
	}
	b = b[macSize:]
	frame, n := binary.Varint(b)
	turn, m := binary.Varint(b[max(n, 0):])
	if n <= 0 || m <= 0 {
		return "", 0, 0, ErrToken
	}
	return string(b[n+m:]), frame, turn, nil
}
