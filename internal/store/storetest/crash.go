package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"cirro/internal/store"
)

// crashDirectory is the variable that makes a test's process the one to be killed.
const crashDirectory = "CIRRO_STORETEST_CRASH"

// CrashMain is to be called by TestMain of a package that calls Crash. In a process that Crash started it
// works on the store until it is killed.
func CrashMain(open func(dir string) (store.Store, error)) {
	dir := os.Getenv(crashDirectory)
	if dir == "" {
		return
	}
	s, err := open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	reports := os.NewFile(3, "reports")
	Work(context.Background(), s, func(r Report) {
		if _, err := fmt.Fprintln(reports, r.What, r.Writer, r.N); err != nil {
			os.Exit(1)
		}
	})
}

// Crash kills processes that work on a store, at random moments, and checks what is left.
func Crash(t *testing.T, open Open) {
	rounds := 10
	if long() {
		rounds = 220
	}
	random := rand.New(rand.NewPCG(4, uint64(time.Now().UnixNano())))
	acknowledged := 0
	for round := range rounds {
		dir := t.TempDir()
		var reports []Report
		for range 1 + random.IntN(2) {
			after := time.Duration(random.IntN(150)) * time.Millisecond
			reports = append(reports, killed(t, dir, after, round%4 > 0)...)
		}
		s := open(t, dir)
		Check(t, s, reports)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
		acknowledged += len(reports)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds, %d acknowledgements", rounds, acknowledged)
	if acknowledged == 0 {
		t.Error("no process came to acknowledge anything")
	}
}

// killed starts a process, kills it after a while, and returns what it reported. The while begins with the first
// report where the process is to be killed at work, however slow its start is; otherwise it may be killed while it opens
// the store.
func killed(t *testing.T, dir string, after time.Duration, atWork bool) (reports []Report) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint writer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirectory+"="+dir)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begin := sync.OnceFunc(func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) })
	if !atWork {
		begin()
	}
	_ = w.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		begin()
		var report Report
		if _, err := fmt.Sscan(lines.Text(), &report.What, &report.Writer, &report.N); err == nil {
			reports = append(reports, report)
		}
	}
	_ = r.Close()
	if err := cmd.Wait(); err == nil || len(complaint.text) > 0 {
		t.Fatalf("the process was to be killed, but: %v: %s", err, complaint.text)
	}
	return reports
}

type writer struct{ text []byte }

func (w *writer) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	return len(p), nil
}

var _ io.Writer = (*writer)(nil)

// Report says what a store acknowledged or showed of a writer's transaction N.
type Report struct {
	What   string
	Writer int
	N      int
}

// What is reported: a transaction was acknowledged, a message was done, a View showed a transaction.
const (
	written = "written"
	done    = "done"
	seen    = "seen"
)

const (
	crashWriters = 6
	crashWorkers = 3
	crashParts   = 3  // keys of a transaction
	crashKept    = 20 // transactions whose keys are there
)

// Work writes to a store, works off its queue and looks at it, and reports, until ctx ends.
func Work(ctx context.Context, s store.Store, report func(Report)) {
	var wg sync.WaitGroup
	repeat := func(f func() (Report, error)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := f()
				if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrLeaseLost) {
					panic(err)
				}
				if err == nil && r.N > 0 {
					report(r)
				}
			}
		})
	}
	for w := range crashWriters {
		repeat(func() (Report, error) { return crashWrite(ctx, s, w) })
	}
	for range crashWorkers {
		repeat(func() (Report, error) { return crashWork(ctx, s) })
	}
	repeat(func() (Report, error) { return crashLook(ctx, s) })
	wg.Wait()
}

// crashWrite is a writer's next transaction: a counter, some keys, fewer old ones, a message, a line in a
// log that all share.
func crashWrite(ctx context.Context, s store.Store, w int) (Report, error) {
	var n int
	err := s.Update(ctx, func(tx store.Tx) (err error) {
		if n, err = number(tx, string(store.Key("counter", w))); err != nil {
			return err
		}
		n++
		_, err = tx.Enqueue("work", store.NewMessage{Body: fmt.Appendf(nil, "%d %d", w, n), Group: strconv.Itoa(w)})
		err = errors.Join(err, tx.Set(store.Key("counter", w), []byte(strconv.Itoa(n))),
			tx.DeleteRange(store.Key("part", w), store.Key("part", w, n-crashKept+1)),
			tx.Append(store.Key("log"), fmt.Appendf(nil, "%d %d", w, n)))
		for part := range crashParts {
			err = errors.Join(err, tx.Set(store.Key("part", w, n, part), make([]byte, 10+n%2000)))
		}
		return err
	})
	return Report{written, w, n}, err
}

// crashWork does a message: it acknowledges it, notes it and sends a result.
func crashWork(ctx context.Context, s store.Store) (Report, error) {
	got, err := s.Receive(ctx, "work", store.ReceiveOptions{Max: 1, Lease: 50 * time.Millisecond, Wait: time.Second})
	if err != nil || len(got) == 0 {
		return Report{}, err
	}
	r := Report{What: done}
	if _, err := fmt.Sscan(string(got[0].Body), &r.Writer, &r.N); err != nil {
		return Report{}, err
	}
	err = s.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Enqueue("results", store.NewMessage{Body: got[0].Body})
		return errors.Join(err, tx.Ack(got[0].Lease), tx.Set(store.Key("done", r.Writer, r.N), nil))
	})
	return r, err
}

func crashLook(ctx context.Context, s store.Store) (Report, error) {
	r := Report{What: seen, Writer: rand.IntN(crashWriters)}
	err := s.View(ctx, func(reader store.Reader) (err error) {
		r.N, err = number(reader, string(store.Key("counter", r.Writer)))
		return err
	})
	return r, err
}

// Check checks a store after a crash against what was reported before.
func Check(t testing.TB, s store.Store, reports []Report) {
	t.Helper()
	work, results := drain(t, s, "work"), drain(t, s, "results")
	err := s.View(context.Background(), func(r store.Reader) error {
		for w := range crashWriters {
			n, err := number(r, string(store.Key("counter", w)))
			if err != nil {
				return err
			}
			checkParts(t, r, w, n)
			checkMessages(t, r, w, n, work, results)
		}
		if err := checkLog(t, r); err != nil {
			return err
		}
		return checkReports(t, r, reports)
	})
	if err != nil {
		t.Error(err)
	}
}

// drain leases all messages of a queue and returns how often each came.
func drain(t testing.TB, s store.Store, queue string) map[string]int {
	t.Helper()
	count := map[string]int{}
	last := map[string]int{} // of a group
	for leased := 0; ; {
		stats, err := s.Stats(context.Background(), queue)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Ready == 0 && stats.Leased == leased && stats.Delayed == 0 {
			return count
		}
		// A group is leased to one at a time, so all of it is taken at once.
		got, err := s.Receive(context.Background(), queue, store.ReceiveOptions{Max: 1_000_000, Lease: never, Wait: patient})
		if err != nil || len(got) == 0 {
			t.Fatalf("queue %s: %+v, but %d messages, %v", queue, stats, len(got), err)
		}
		leased += len(got)
		for _, m := range got {
			count[string(m.Body)]++
			var w, n int
			if _, err := fmt.Sscan(string(m.Body), &w, &n); err != nil {
				t.Fatal(err)
			}
			if m.Group != "" && n <= last[m.Group] {
				t.Errorf("queue %s, group %s: message %d after %d", queue, m.Group, n, last[m.Group])
			}
			last[m.Group] = n
		}
	}
}

// checkParts checks that the keys of a writer's last transactions are there and no others.
func checkParts(t testing.TB, r store.Reader, w, n int) {
	t.Helper()
	want := map[string]bool{}
	for i := max(1, n-crashKept+1); i <= n; i++ {
		for part := range crashParts {
			want[string(store.Key("part", w, i, part))] = true
		}
	}
	for kv, err := range r.Range(store.Prefix("part", w)) {
		if err != nil {
			t.Error(err)
			return
		}
		if !want[string(kv.Key)] {
			t.Errorf("writer %d: key %q is left over, or of a half transaction; the last is %d", w, kv.Key, n)
		}
		delete(want, string(kv.Key))
	}
	if len(want) > 0 {
		t.Errorf("writer %d: %d keys are missing; the last transaction is %d", w, len(want), n)
	}
}

// checkMessages checks that each transaction's message is waiting, or done with a result.
func checkMessages(t testing.TB, r store.Reader, w, n int, work, results map[string]int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		body := fmt.Sprintf("%d %d", w, i)
		_, err := r.Get(store.Key("done", w, i))
		isDone := 0
		if err == nil {
			isDone = 1
		}
		if work[body] != 1-isDone || results[body] != isDone {
			t.Errorf("message %s: done %d, %d times in the queue, %d results", body, isDone, work[body], results[body])
		}
		delete(work, body)
		delete(results, body)
	}
	for body := range work {
		var of, i int
		if _, err := fmt.Sscan(body, &of, &i); err != nil || of == w {
			t.Errorf("message %s is of a half transaction; the last of writer %d is %d", body, w, n)
		}
	}
}

// checkLog checks that the log has a line of each transaction, each writer's in order.
func checkLog(t testing.TB, r store.Reader) error {
	t.Helper()
	last := make([]int, crashWriters)
	for kv, err := range r.Range(store.Prefix("log")) {
		if err != nil {
			return err
		}
		var w, n int
		if _, err := fmt.Sscan(string(kv.Value), &w, &n); err != nil || n != last[w]+1 {
			t.Errorf("the log has transaction %d of writer %d after %d (%v)", n, w, last[w], err)
		}
		last[w] = n
	}
	for w, n := range last {
		counted, err := number(r, string(store.Key("counter", w)))
		if err != nil {
			return err
		}
		if n != counted {
			t.Errorf("writer %d: the log ends with %d of %d transactions", w, n, counted)
		}
	}
	return nil
}

func checkReports(t testing.TB, r store.Reader, reports []Report) error {
	t.Helper()
	for _, report := range reports {
		n, err := number(r, string(store.Key("counter", report.Writer)))
		if err != nil {
			return err
		}
		_, err = r.Get(store.Key("done", report.Writer, report.N))
		if n < report.N || (report.What == done && err != nil) {
			t.Errorf("%+v, but after the crash the last transaction is %d (%v)", report, n, err)
		}
	}
	return nil
}
