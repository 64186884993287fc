package states

import (
	"bytes"
	"encoding/base64"
	"strconv"

	api "cirro/internal/awsapi/states"
	"cirro/internal/store"
)

// pageOf is the part of a list that a request asks for: what follows its token, and how much of that.
func pageOf(span store.Range, token *string, most *int32) (store.Range, int, error) {
	limit := 100
	if most != nil && *most > 0 {
		limit = int(*most)
	}
	if token == nil {
		return span, limit, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || bytes.Compare(key, span.Start) < 0 || span.End != nil && bytes.Compare(key, span.End) >= 0 {
		return span, 0, api.InvalidToken.New("Invalid Token: 'Invalid token'")
	}
	return span.After(key), limit, nil
}

// tokenOf is the token that goes on after a key; nil for none.
func tokenOf(last []byte) *string {
	if last == nil {
		return nil
	}
	return new(base64.RawURLEncoding.EncodeToString(last))
}

// numberOf reads a token that is a number, and textOfNumber makes one.
func numberOf(token *string) (int64, error) {
	if token == nil {
		return 0, nil
	}
	n, err := strconv.ParseInt(*token, 36, 64)
	if err != nil || n < 0 {
		return 0, api.InvalidToken.New("Invalid Token: 'Invalid token'")
	}
	return n, nil
}

func textOfNumber(n int64) string { return strconv.FormatInt(n, 36) }
