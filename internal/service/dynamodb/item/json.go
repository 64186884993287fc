package item

import (
	"encoding/base64"
	"slices"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends a stored item as awsJson has it, {"name":{"S":"text"}}, attributes in the order of their names,
// and tells its size. Most of what a reply has is items: none of them becomes a map on its way.
func AppendJSON(dst, stored []byte) (json []byte, size int, err error) {
	w := transcriber{decoder: decoder{rest: unaltered(stored)}}
	if w.byte() != codecVersion {
		return dst, 0, errCorrupt
	}
	json, size = w.item(dst)
	if w.failed || w.rest != "" {
		return dst, 0, errCorrupt
	}
	return json, size, nil
}

// StoredSize is the size of a stored item, as Size tells it.
func StoredSize(stored []byte) (int, error) {
	w := transcriber{decoder: decoder{rest: unaltered(stored)}}
	if w.byte() != codecVersion {
		return 0, errCorrupt
	}
	size := w.passItem()
	if w.failed || w.rest != "" {
		return 0, errCorrupt
	}
	return size, nil
}

// unaltered is b as text, as long as nobody changes b.
func unaltered(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// transcriber reads the stored form and writes JSON.
type transcriber struct{ decoder }

// attribute is a name and a value's stored form.
type attribute struct{ name, value string }

func (w *transcriber) item(dst []byte) (json []byte, size int) {
	var few [16]attribute
	attributes := few[:0]
	for range w.count() {
		if w.failed {
			break
		}
		name, value := w.text(), w.rest
		size += len(name) + w.passValue()
		attributes = append(attributes, attribute{name, value[:len(value)-len(w.rest)]})
	}
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	rest := w.rest
	dst = append(dst, '{')
	for i := range attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, attributes[i].name), ':')
		w.rest = attributes[i].value
		dst = w.value(dst)
	}
	w.rest = rest
	return append(dst, '}'), size
}

func (w *transcriber) value(dst []byte) []byte {
	kind := Kind(w.byte())
	if kind < S || kind > BOOL {
		w.fail()
		return dst
	}
	dst = append(append(append(dst, `{"`...), kindNames[kind]...), `":`...)
	switch kind {
	case S, N:
		dst = appendQuoted(dst, w.text())
	case B:
		dst = appendBase64(dst, w.text())
	case SS, NS, BS:
		dst = w.list(dst, func(dst []byte) []byte {
			if kind == BS {
				return appendBase64(dst, w.text())
			}
			return appendQuoted(dst, w.text())
		})
	case M:
		dst, _ = w.item(dst)
	case L:
		dst = w.list(dst, w.value)
	case NULL:
		dst = append(dst, "true"...)
	case BOOL:
		if w.byte() == 1 {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
	}
	return append(dst, '}')
}

// list writes a number of elements that follows, each with element.
func (w *transcriber) list(dst []byte, element func([]byte) []byte) []byte {
	dst = append(dst, '[')
	for i := range w.count() {
		if w.failed {
			break
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst)
	}
	return append(dst, ']')
}

// passItem passes by an item and tells its size.
func (w *transcriber) passItem() (size int) {
	for range w.count() {
		if w.failed {
			break
		}
		size += len(w.text()) + w.passValue()
	}
	return size
}

// passValue passes by a value and tells its size.
func (w *transcriber) passValue() (size int) {
	kind := Kind(w.byte())
	switch kind {
	case S, B:
		return len(w.text())
	case N:
		return numberSize(w.text())
	case SS, BS, NS:
		for range w.count() {
			if element := w.text(); kind == NS {
				size += numberSize(element)
			} else {
				size += len(element)
			}
		}
		return size
	case M, L:
		return w.passNested(kind)
	case BOOL:
		w.byte()
	case NULL:
	default:
		w.fail()
	}
	return 1
}

func (w *transcriber) passNested(kind Kind) (size int) {
	if w.depth++; w.depth > maxStoredDepth {
		w.fail()
		return 0
	}
	n := w.members()
	if kind == M {
		size = w.passItem()
	} else {
		for range w.count() {
			if w.failed {
				break
			}
			size += w.passValue()
		}
	}
	w.depth--
	return 3 + n + size
}

// members is the number of members that follows, which stays to be read.
func (w *transcriber) members() int {
	rest := w.rest
	n := w.count()
	if !w.failed {
		w.rest = rest
	}
	return n
}

func appendQuoted(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // not UTF-8: U+FFFD stands for what cannot be said
		out, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\ufffd"))
	}
	return out
}

func appendBase64(dst []byte, bytes string) []byte {
	dst = append(dst, '"')
	return append(base64.StdEncoding.AppendEncode(dst, []byte(bytes)), '"')
}
