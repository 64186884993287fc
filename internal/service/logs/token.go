package logs

import (
	"encoding/base64"
	"hash/crc32"
	"strings"

	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

var errToken = logs.InvalidParameterException.New("The specified nextToken is invalid.")

// pageToken makes a token that says where a listing goes on: after the given key. kind tells the
// listings apart.
func pageToken(kind string, after []byte) *string {
	b := append([]byte(kind+"\x00"), after...)
	sum := crc32.ChecksumIEEE(b)
	b = append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	return new(base64.RawURLEncoding.EncodeToString(b))
}

// parsePageToken returns the key in a token that pageToken made for the same kind of listing.
func parsePageToken(kind, token string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 4 {
		return nil, errToken
	}
	n := len(b) - 4
	sum := uint32(b[n])<<24 | uint32(b[n+1])<<16 | uint32(b[n+2])<<8 | uint32(b[n+3])
	rest, ok := strings.CutPrefix(string(b[:n]), kind+"\x00")
	if !ok || crc32.ChecksumIEEE(b[:n]) != sum {
		return nil, errToken
	}
	return []byte(rest), nil
}

// page reads the records of a range from where a token says, limit of them; keep, where not nil, says
// which count. It returns the token for the rest, nil where nothing remains.
func page[T any](r store.Reader, kind string, over store.Range, token *string, limit int, keep func(*T) bool) (records []T, next *string, err error) {
	if token != nil {
		after, err := parsePageToken(kind, *token)
		if err != nil {
			return nil, nil, err
		}
		over = over.After(after)
	}
	records, last, err := store.Page(r, over, limit, keep)
	if last != nil {
		next = pageToken(kind, last)
	}
	return records, next, err
}
