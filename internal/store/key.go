package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Key makes a key of its parts that sorts as the parts do, one after the other: strings and byte
// slices by their bytes, integers by their value. Key("a") is no prefix of Key("ab"), so the keys
// below Key("a", "b") are those that Prefix selects.
func Key(parts ...any) []byte {
	return AppendKey(nil, parts...)
}

// Tags of the parts, and the terminator of a string; a zero byte within a string is written 0x00 0xff.
const (
	tagString = 0x02
	tagInt    = 0x14
)

// AppendKey appends parts to a key.
func AppendKey(key []byte, parts ...any) []byte {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			key = appendBytes(key, []byte(p))
		case []byte:
			key = appendBytes(key, p)
		case int:
			key = appendInt(key, int64(p))
		case int64:
			key = appendInt(key, p)
		default:
			panic(fmt.Sprintf("store: a key cannot hold a %T", p))
		}
	}
	return key
}

func appendBytes(key, part []byte) []byte {
	key = append(key, tagString)
	for {
		i := bytes.IndexByte(part, 0)
		if i < 0 {
			key = append(key, part...)
			return append(key, 0)
		}
		key = append(key, part[:i]...)
		key = append(key, 0, 0xff)
		part = part[i+1:]
	}
}

func appendInt(key []byte, n int64) []byte {
	key = append(key, tagInt)
	return binary.BigEndian.AppendUint64(key, uint64(n)^1<<63)
}

// Split returns the parts of a key that Key made: string and int64.
func Split(key []byte) ([]any, error) {
	var parts []any
	for len(key) > 0 {
		switch tag := key[0]; tag {
		case tagString:
			part, rest, err := splitString(key[1:])
			if err != nil {
				return nil, err
			}
			parts, key = append(parts, part), rest
		case tagInt:
			if len(key) < 9 {
				return nil, fmt.Errorf("store: a key ends within an integer")
			}
			parts = append(parts, int64(binary.BigEndian.Uint64(key[1:])^1<<63))
			key = key[9:]
		default:
			return nil, fmt.Errorf("store: a key has the unknown tag %#x", tag)
		}
	}
	return parts, nil
}

func splitString(b []byte) (string, []byte, error) {
	var s []byte
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return "", nil, fmt.Errorf("store: a key ends within a string")
		}
		s = append(s, b[:i]...)
		if i+1 < len(b) && b[i+1] == 0xff {
			s, b = append(s, 0), b[i+2:]
			continue
		}
		return string(s), b[i+1:], nil
	}
}

// AppendSize is how much longer than its prefix the key is that Tx.Append makes.
const AppendSize = 9

// Appended returns the number in a key that Tx.Append made; 0 for another key.
func Appended(key []byte) int64 {
	if len(key) < AppendSize || key[len(key)-AppendSize] != tagInt {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(key)-8:]) ^ 1<<63)
}

// Prefix is the range of all keys that Key makes of the given parts and more.
func Prefix(parts ...any) Range {
	start := Key(parts...)
	return Range{Start: start, End: append(bytes.Clone(start), 0xff)}
}
