package pebble

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cirro/internal/store"
	"cirro/internal/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.CrashMain(func(dir string) (store.Store, error) { return Open(dir, Options{}) })
	os.Exit(m.Run())
}

// TestKilled kills processes: what they acknowledged is there.
func TestKilled(t *testing.T) {
	storetest.Crash(t, func(t testing.TB, dir string) store.Store { return openTest(t, dir) })
}

// TestPowerCut takes away what was not synced: what was acknowledged, or shown by a View, is there.
func TestPowerCut(t *testing.T) {
	rounds := 10
	if os.Getenv("CIRRO_LONG") != "" {
		rounds = 200
	}
	random := rand.New(rand.NewPCG(5, uint64(time.Now().UnixNano())))
	for range rounds {
		disk := vfs.NewCrashableMem()
		s, err := Open("data", Options{fs: disk, MemTableBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var reports []storetest.Report
		ctx, cancel := context.WithCancel(context.Background())
		worked := make(chan struct{})
		enough, crash := 1+random.IntN(2000), make(chan struct{})
		go func() {
			defer close(worked)
			storetest.Work(ctx, s, func(r storetest.Report) {
				mu.Lock()
				defer mu.Unlock()
				if reports = append(reports, r); len(reports) == enough {
					close(crash)
				}
			})
		}()
		<-crash
		mu.Lock()
		before := reports[:len(reports):len(reports)]
		mu.Unlock()
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(2) * 50, RNG: random})
		cancel()
		<-worked
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open("data", Options{fs: after})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Check(t, s, before)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
