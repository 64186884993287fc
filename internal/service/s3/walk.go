package s3

import (
	"bytes"
	"iter"
	"strings"

	"cirro/internal/store"
)

// cursor is a place in a space of keys (objects, versions or uploads of a bucket), whose first part is the object's.
type cursor struct {
	reader store.Reader
	base   int         // how long what comes before the object's key is
	over   store.Range // all that the cursor may come to

	next func() (store.KV, error, bool)
	stop func()

	key  string // of the object at the cursor
	kv   store.KV
	open bool // there is something at the cursor
}

// newCursor begins at the first key with a prefix.
func newCursor(r store.Reader, space, bucketID, prefix string) *cursor {
	return &cursor{reader: r, base: len(store.Key("s3", space, bucketID)), over: beginning(prefix, "s3", space, bucketID)}
}

// seek moves to the first key at or after one.
func (c *cursor) seek(from []byte) error {
	c.close()
	if bytes.Compare(from, c.over.Start) > 0 {
		c.over.Start = from
	}
	if bytes.Compare(c.over.Start, c.over.End) >= 0 {
		c.open = false
		return nil
	}
	c.next, c.stop = iter.Pull2(c.reader.Range(c.over))
	return c.step()
}

// step moves to the next key.
func (c *cursor) step() (err error) {
	if c.kv, err, c.open = c.next(); err != nil || !c.open {
		c.open = false
		return err
	}
	c.key, err = firstPart(c.kv.Key[c.base:])
	return err
}

// skip moves behind all keys with a prefix, of which it is at one. Some are stepped over: looking for a place anew
// costs as much as many steps.
func (c *cursor) skip(prefix string) error {
	for range 24 {
		if err := c.step(); err != nil || !c.open || !strings.HasPrefix(c.key, prefix) {
			return err
		}
	}
	return c.seek(behind(c.over, c.base, prefix))
}

// behind is the first key behind all that begin with a prefix.
func behind(over store.Range, base int, prefix string) []byte {
	key := store.AppendKey(bytes.Clone(over.Start[:base]), prefix)
	key[len(key)-1] = 0xff // the terminator: no key's text holds that byte
	return key
}

func (c *cursor) close() {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// firstPart reads the text that a key's rest begins with.
func firstPart(rest []byte) (string, error) {
	// Most keys hold no zero byte but the one that ends them.
	if end := bytes.IndexByte(rest, 0); end > 0 && (end+1 == len(rest) || rest[end+1] != 0xff) {
		return string(rest[1:end]), nil
	}
	parts, err := store.Split(rest)
	if err != nil || len(parts) == 0 {
		return "", errRecord
	}
	text, _ := parts[0].(string)
	return text, nil
}

// grouping is how a list groups keys: those with a prefix, and of them those into one that have the delimiter behind it.
type grouping struct{ prefix, delimiter string }

// group is the common prefix that stands for a key in a list; "" where the key is listed itself.
func (g grouping) group(key string) string {
	if g.delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(g.prefix):], g.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(g.prefix)+i+len(g.delimiter)]
}

// isGroup reports whether a marker is a common prefix itself: the list goes on behind all keys in it.
func (g grouping) isGroup(marker string) bool {
	return strings.HasPrefix(marker, g.prefix) && g.group(marker) == marker && marker != ""
}
