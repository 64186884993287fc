package jsonata

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/recolabs/gnata"

	"cirro/internal/asl/document"
)

// MaxBytes is how much text a function makes at once, and how large a result may be.
const MaxBytes = document.MaxWork

// An expression ends when the heap has grown by maxGrowth while it was evaluated. The heap is looked at once in
// a while, between two of the expression's parts: so it grows by no more than one part can make of what is there.
const (
	lookEvery = time.Millisecond
	maxGrowth = 128 << 20
)

var (
	errTooLarge = errors.New("a value is too large")
	errMemory   = errors.New("too much memory is needed")
)

// names is where the library's functions are bound.
type names interface {
	Bind(name string, v any)
	Lookup(name string) (any, bool)
}

// bound puts a check before each function that makes much of little.
func bound(env names) {
	for name, check := range map[string]func(args []any) bool{"join": joinFits, "replace": replaceFits, "string": stringFits} {
		v, ok := env.Lookup(name)
		if !ok {
			panic("jsonata: the library has no function " + name)
		}
		original := reflect.ValueOf(v)
		kind := original.Type()
		env.Bind(name, reflect.MakeFunc(kind, func(in []reflect.Value) []reflect.Value {
			if args, ok := in[0].Interface().([]any); ok && !check(args) {
				return []reflect.Value{reflect.Zero(kind.Out(0)), reflect.ValueOf(&errTooLarge).Elem()}
			}
			return original.Call(in)
		}).Interface())
	}
}

func joinFits(args []any) bool {
	separator, _ := argument(args, 1).(string)
	list, _ := gnata.NormalizeValue(argument(args, 0)).([]any)
	size := 0
	for _, v := range list {
		s, _ := v.(string)
		if size += len(s) + len(separator); size > MaxBytes {
			return false
		}
	}
	return true
}

func replaceFits(args []any) bool {
	s, _ := argument(args, 0).(string)
	replacement, _ := argument(args, 2).(string)
	matches := len(s) + 1 // of an expression, at most
	if pattern, ok := argument(args, 1).(string); ok {
		matches = strings.Count(s, pattern)
	}
	return len(s)+matches*len(replacement) <= MaxBytes
}

func stringFits(args []any) bool {
	left := MaxBytes
	return fits(argument(args, 0), &left)
}

// fits takes the size of a value, about as it is in JSON, from what is left. Parts that a value has more than
// once count each time.
func fits(v any, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	switch v := v.(type) {
	case string:
		*left -= len(v)
	case []any:
		for i := range v {
			if !fits(v[i], left) {
				return false
			}
		}
	case ordered:
		v.Range(func(name string, member any) bool {
			*left -= len(name)
			return fits(member, left)
		})
	case map[string]any:
		for name, member := range v {
			if *left -= len(name); !fits(member, left) {
				return false
			}
		}
	default:
		if list, ok := gnata.NormalizeValue(v).([]any); ok {
			return fits(list, left)
		}
	}
	return *left >= 0
}

// meter is the context of one evaluation. The library asks it for its error before each part of an expression.
type meter struct {
	context.Context
	began  time.Time
	looked time.Duration // since then
	before uint64        // the heap, when it was first looked at
	err    error
}

func newMeter() *meter { return &meter{Context: context.Background(), began: time.Now()} }

// Err is why the evaluation must end, if it must.
func (m *meter) Err() error {
	took := time.Since(m.began)
	switch {
	case m.err != nil:
	case took > Limit:
		m.err = context.DeadlineExceeded
	case took > m.looked+lookEvery:
		m.looked = took
		m.look()
	}
	return m.err
}

func (m *meter) look() {
	size := heap()
	if m.before == 0 {
		m.before = size
	}
	if size <= m.before+maxGrowth {
		return
	}
	if runtime.GC(); heap() > m.before+maxGrowth { // it was no garbage
		m.err = errMemory
	}
}

// heap is how many bytes the objects of the program have.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
