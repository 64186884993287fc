package pebble

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are the choices that a store leaves open. The zero value suits a laptop.
type Options struct {
	// CacheBytes bounds the cache of blocks read from disk. 0 means 8 MiB.
	CacheBytes int64
	// MemTableBytes is how much is written before it goes to a sorted table. There are up to four
	// such tables in memory under load, and none worth mentioning when idle. 0 means 16 MiB.
	MemTableBytes uint64
	// Logger is told what goes wrong in the background. nil means slog's default.
	Logger *slog.Logger

	fs vfs.FS // nil for the operating system's
}

func (o Options) pebble() *pebble.Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 16 << 20
	}
	p := &pebble.Options{
		CacheSize:                   o.CacheBytes,
		FS:                          o.filesystem(),
		FormatMajorVersion:          pebble.FormatNewest,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               64 << 20,
		Logger:                      logger{o.logger()},
		MaxOpenFiles:                512,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
	}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.Default()
	}
	return o.Logger
}

func (o Options) filesystem() vfs.FS {
	if o.fs == nil {
		return vfs.Default
	}
	return o.fs
}

// logger passes Pebble's errors on; what it says besides is of no use to an operator.
type logger struct{ to *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("store: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when the log cannot be written. Nothing can be acknowledged any more and memory
// is ahead of the disk, so the process ends, as Pebble demands.
func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	os.Exit(1)
}
