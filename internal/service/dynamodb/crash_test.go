package dynamodb

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// crashDirectory is the variable that makes a test's process the one to be killed.
const crashDirectory = "CIRRO_DYNAMODB_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirectory); dir != "" {
		if err := crashWork(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const (
	crashWriters = 6
	// crashItems are what a writer's transaction writes at a time, all with the same number.
	crashItems = 3
)

// tableK is a table with indexes and a stream.
var tableK = strings.Replace(tableS, `"BillingMode"`, `"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},"BillingMode"`, 1)

// crashWork writes until it is killed, and reports what was acknowledged.
func crashWork(dir string) error {
	st, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		return err
	}
	s, ctx := New(Deps{Store: st, Log: slog.New(slog.DiscardHandler)}), requestContext()
	reports := os.NewFile(3, "reports")
	failed := make(chan error)
	for w := range crashWriters {
		go func() {
			random := rand.New(rand.NewPCG(uint64(w), uint64(time.Now().UnixNano())))
			n, err := crashFirst(ctx, s, w)
			for ; err == nil; n++ {
				if err = crashWrite(ctx, s, random, w, n); err == nil {
					_, err = fmt.Fprintln(reports, w, n)
				}
			}
			failed <- err
		}()
	}
	return <-failed
}

func crashKey(w, i int) map[string]api.AttributeValue {
	return map[string]api.AttributeValue{"pk": {S: new(fmt.Sprint("w", w))}, "sk": {N: new(strconv.Itoa(i))}}
}

// crashFirst is the number that a writer's items have, whose writes may not all be done.
func crashFirst(ctx context.Context, s *Service, w int) (int, error) {
	out, err := s.GetItem(ctx, &api.GetItemInput{TableName: new("sss"), Key: crashKey(w, 0)})
	if err != nil || out.Item == nil {
		return 1, err
	}
	return strconv.Atoi(*out.Item["x"].N)
}

// crashWrite makes a writer's items have a number, in one transaction, and adds one item and removes another that
// have it in their key.
func crashWrite(ctx context.Context, s *Service, random *rand.Rand, w, n int) error {
	number := api.AttributeValue{N: new(strconv.Itoa(n))}
	in := &api.TransactWriteItemsInput{}
	for i := range crashItems {
		it := crashKey(w, i)
		it["x"], it["g"], it["h"] = number, api.AttributeValue{S: new(fmt.Sprint("g", random.IntN(3)))}, number
		in.TransactItems = append(in.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: new("sss"), Item: it}})
	}
	if _, err := s.TransactWriteItems(ctx, in); err != nil {
		return err
	}
	it := crashKey(w, 100+n)
	it["l"] = api.AttributeValue{S: new(strconv.Itoa(random.IntN(9)))}
	if _, err := s.PutItem(ctx, &api.PutItemInput{TableName: new("sss"), Item: it}); err != nil {
		return err
	}
	_, err := s.DeleteItem(ctx, &api.DeleteItemInput{TableName: new("sss"), Key: crashKey(w, 100+n-20)})
	return err
}

// TestKilled kills processes that write: what they acknowledged is there, no transaction is half done, and the indexes
// and the stream say what the table says.
func TestKilled(t *testing.T) {
	rounds := 4
	if os.Getenv("CIRRO_LONG") != "" {
		rounds = 100
	}
	random := rand.New(rand.NewPCG(6, uint64(time.Now().UnixNano())))
	dir, acknowledged := t.TempDir(), map[int]int{}
	withStore(t, dir, func(r *itemRig) { r.must("CreateTable", tableK) })
	for round := range rounds {
		killed(t, dir, time.Duration(50+random.IntN(150))*time.Millisecond, acknowledged)
		withStore(t, dir, func(r *itemRig) {
			for w := range crashWriters {
				r.checkWriter(w, acknowledged[w])
			}
			r.verify("sss")
			r.verifyStream("sss")
		})
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	t.Logf("%d rounds, %d acknowledged", rounds, total)
	if total == 0 {
		t.Error("no process came to acknowledge anything")
	}
}

// withStore calls f with a service over the store in a directory.
func withStore(t *testing.T, dir string, f func(*itemRig)) {
	t.Helper()
	st, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	f(&itemRig{Service: New(Deps{Store: st, Log: slog.New(slog.DiscardHandler)}), TB: t, ctx: requestContext()})
}

// killed starts a process, kills it after a while, and notes what it reported.
func killed(t *testing.T, dir string, after time.Duration, acknowledged map[int]int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirectory+"="+dir)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	// The time runs from the first report on, so that a slow start is not all that is killed.
	var timer *time.Timer
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if timer == nil {
			timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
		var writer, n int
		if _, err := fmt.Sscan(lines.Text(), &writer, &n); err == nil {
			acknowledged[writer] = n
		}
	}
	_ = r.Close()
	if err := cmd.Wait(); err == nil || complaint.Len() > 0 {
		t.Fatalf("the process was to be killed, but: %v: %s", err, &complaint)
	}
}

// checkWriter checks what is there of a writer whose number n was acknowledged.
func (r *itemRig) checkWriter(w, n int) {
	r.Helper()
	var found []string
	for i := range crashItems {
		out, err := r.GetItem(r.ctx, &api.GetItemInput{TableName: new("sss"), Key: crashKey(w, i)})
		if err != nil {
			r.Fatal(err)
		}
		found = append(found, awsapi.Val(out.Item["x"].N))
	}
	for _, f := range found {
		if f != found[0] {
			r.Errorf("a transaction of writer %d is half done: %q", w, found)
		}
	}
	if has, _ := strconv.Atoi(found[0]); has != n && has != n+1 {
		r.Errorf("writer %d has %d; %d was acknowledged", w, has, n)
	}
	for i := n - 19; i <= n && n > 0; i++ {
		out, err := r.GetItem(r.ctx, &api.GetItemInput{TableName: new("sss"), Key: crashKey(w, 100+i)})
		if err != nil {
			r.Fatal(err)
		}
		// The process that came after n may have removed the oldest already.
		if out.Item == nil && i > max(0, n-19) {
			r.Errorf("item %d of writer %d is not there; %d was acknowledged", i, w, n)
		}
	}
}

// verifyStream replays a table's stream: each record begins with what the one before it left, and what they all leave is
// what the table has.
func (r *itemRig) verifyStream(name string) {
	r.Helper()
	t, err := r.catalog.Use(r.ctx, table.Ref{Account: awsapi.DefaultAccount, Region: "eu-west-1", Name: name})
	if err != nil {
		r.Fatal(err)
	}
	defer t.End()
	err = r.Store.View(r.ctx, func(v store.Reader) error {
		left := map[string]item.Item{}
		for shard := range t.Stream.Shards {
			if err := r.replay(v, t.Stream, shard, left); err != nil {
				return err
			}
		}
		for it, err := range table.Walk(v, t.All(nil)) {
			if err != nil {
				return err
			}
			key := compact(r, it["pk"]) + compact(r, it["sk"])
			if !left[key].Equal(it) {
				r.Errorf("the table has %v, and its stream %v", it.API(), left[key].API())
			}
			delete(left, key)
		}
		for _, it := range left {
			r.Errorf("the table lacks %v, which its stream has", it.API())
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *itemRig) replay(v store.Reader, s *stream.Stream, shard int, left map[string]item.Item) error {
	for after := int64(0); ; {
		records, err := s.Read(v, shard, after, 1000, 1<<20)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, record := range records {
			key := compact(r, record.Keys["pk"]) + compact(r, record.Keys["sk"])
			if !left[key].Equal(record.Old) {
				r.Errorf("record %d begins with %v; the one before left %v", record.Number, record.Old.API(), left[key].API())
			}
			if left[key] = record.New; record.New == nil {
				delete(left, key)
			}
			after = record.Number
		}
	}
}
