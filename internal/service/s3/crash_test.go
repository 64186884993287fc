package s3

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob/dir"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// crashDirectory is the variable that makes a test's process the one to be killed.
const crashDirectory = "CIRRO_S3_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirectory); dir != "" {
		if err := crashWork(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	crashWriters = 4
	crashKeys    = 3 // of each writer
)

// openCrashed opens a service over what is in a directory.
func openCrashed(in string) (*Service, func(), error) {
	st, err := pebble.Open(filepath.Join(in, "store"), pebble.Options{})
	if err != nil {
		return nil, nil, err
	}
	blobs, err := dir.Open(filepath.Join(in, "blobs"))
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	s := New(Deps{Store: st, Blobs: blobs, Log: slog.New(slog.DiscardHandler)})
	return s, func() { _ = s.Close(); _ = st.Close() }, nil
}

func crashContext() context.Context {
	return awsapi.WithRequest(context.Background(), &awsapi.Request{ID: "r", Region: "us-east-1", Principal: awsapi.RootPrincipal("000000000000", "test"),
		SourceIP: "127.0.0.1", Time: time.Now()})
}

// crashBody is the body of a writer's n-th object: its size and its bytes follow from n.
func crashBody(n, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n + i>>8)
	}
	return b
}

// crashWork puts, overwrites and deletes objects until it is killed, and says what it begins and what was acknowledged.
func crashWork(in string) error {
	s, _, err := openCrashed(in)
	if err != nil {
		return err
	}
	ctx := crashContext()
	if _, err := s.CreateBucket(ctx, &api.CreateBucketRequest{Bucket: new("bucket")}); err != nil {
		return err
	}
	reports := os.NewFile(3, "reports")
	failed := make(chan error, crashWriters+1)
	go func() {
		for {
			if err := s.reapSome(ctx); err != nil {
				failed <- err
				return
			}
		}
	}()
	for w := range crashWriters {
		go func() {
			for n := int(time.Now().UnixMilli()%1_000_000) * 1000; ; n++ { // above those of the process before
				key := fmt.Sprintf("%d/%d", w, rand.IntN(crashKeys))
				what := []string{"small", "large", "parts", "delete", "small", "large"}[rand.IntN(6)]
				if _, err := fmt.Fprintln(reports, "begin", key, what, n); err != nil {
					os.Exit(1)
				}
				if err := s.crashStep(ctx, key, what, n); err != nil {
					failed <- fmt.Errorf("%s %s: %w", what, key, err)
					return
				}
				fmt.Fprintln(reports, "done", key, what, n)
			}
		}()
	}
	return <-failed
}

func (s *Service) crashStep(ctx context.Context, key, what string, n int) error {
	meta := map[string]string{"n": strconv.Itoa(n)}
	size := n % 1000
	switch what {
	case "delete":
		_, err := s.DeleteObject(ctx, &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key})
		return err
	case "parts":
		u, err := s.CreateMultipartUpload(ctx, &api.CreateMultipartUploadRequest{Bucket: new("bucket"), Key: &key, Metadata: meta})
		if err != nil {
			return err
		}
		var parts []api.CompletedPart
		for i, data := range [][]byte{crashBody(n, minPart), crashBody(n, size)} {
			out, err := s.UploadPart(ctx, &api.UploadPartRequest{Bucket: new("bucket"), Key: &key, UploadId: u.UploadId, PartNumber: new(int32(i + 1)), Body: bytes.NewReader(data)})
			if err != nil {
				return err
			}
			parts = append(parts, api.CompletedPart{PartNumber: new(int32(i + 1)), ETag: out.ETag})
		}
		_, err = s.CompleteMultipartUpload(ctx, &api.CompleteMultipartUploadRequest{Bucket: new("bucket"), Key: &key, UploadId: u.UploadId,
			MultipartUpload: &api.CompletedMultipartUpload{Parts: parts}})
		return err
	case "large":
		size += 2 * pieceSize
	}
	_, err := s.PutObject(ctx, &api.PutObjectRequest{Bucket: new("bucket"), Key: &key, Metadata: meta, Body: bytes.NewReader(crashBody(n, size))})
	return err
}

// crashStory is what is known of a key: what was acknowledged last, and what was begun after that.
type crashStory struct{ acknowledged, begun string }

// TestCrash kills processes at work at random moments. What was acknowledged is there and whole; what was not is there as a
// whole or not at all; and nothing lies about that no object refers to.
func TestCrash(t *testing.T) {
	rounds := 5
	if long() {
		rounds = 100
	}
	acknowledged := 0
	in := t.TempDir()
	stories := map[string]*crashStory{}
	for round := range rounds {
		acknowledged += crash(t, in, time.Duration(rand.IntN(400))*time.Millisecond, round%4 > 0, stories)
		checkCrashed(t, in, stories)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d acknowledgements", rounds, acknowledged)
	if acknowledged == 0 {
		t.Error("no process came to acknowledge anything")
	}
}

// crash starts a process, kills it a while after its first report, or its first acknowledgement where it is to come to one,
// and adds what it reported to the stories.
func crash(t *testing.T, in string, after time.Duration, one bool, stories map[string]*crashStory) (acknowledged int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirectory+"="+in)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	kill := sync.OnceFunc(func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) })
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var verb, key, what, n string
		if _, err := fmt.Sscan(lines.Text(), &verb, &key, &what, &n); err != nil {
			continue // cut off
		}
		if !one || verb == "done" {
			kill()
		}
		story := stories[key]
		if story == nil {
			story = &crashStory{acknowledged: "delete"}
			stories[key] = story
		}
		if story.begun = what + " " + n; verb == "done" {
			story.acknowledged, story.begun = story.begun, ""
			acknowledged++
		}
	}
	_ = r.Close()
	_ = cmd.Wait()
	if complaint.Len() > 0 {
		t.Fatalf("the process was to be killed, but: %s", complaint.String())
	}
	return acknowledged
}

// checkCrashed compares what a crash left with the stories, which go on from what is there.
func checkCrashed(t *testing.T, in string, stories map[string]*crashStory) {
	t.Helper()
	s, end, err := openCrashed(in)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	h := &hall{&desk{Service: s, t: t, clock: nil}, filepath.Join(in, "blobs")}
	ctx := crashContext()
	if err := s.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	for _, u := range ok(s.ListMultipartUploads(ctx, &api.ListMultipartUploadsRequest{Bucket: new("bucket")}))(t).Uploads {
		ok(s.AbortMultipartUpload(ctx, &api.AbortMultipartUploadRequest{Bucket: new("bucket"), Key: u.Key, UploadId: u.UploadId}))(t)
	}
	if err := s.reapWhole(ctx); err != nil {
		t.Fatal(err)
	}
	blobs, small := 0, 0
	for key, story := range stories {
		found := "delete"
		out, err := s.GetObject(ctx, &api.GetObjectRequest{Bucket: new("bucket"), Key: &key})
		if err != nil && !errors.Is(err, api.NoSuchKey) {
			t.Fatal(err)
		}
		if err == nil {
			n, _ := strconv.Atoi(out.Metadata["n"])
			body, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			out.Body.(io.Closer).Close()
			what := whatOf(len(body))
			want := crashBody(n, n%1000)
			switch what {
			case "large":
				want = crashBody(n, n%1000+2*pieceSize)
				blobs++
			case "parts":
				want = append(crashBody(n, minPart), want...)
				blobs++
				small += min(1, n%1000)
			default:
				small += min(1, n%1000)
			}
			if !bytes.Equal(body, want) {
				t.Errorf("%s: %d bytes of %s %d are not what was put: %s", key, len(body), what, n, hex.EncodeToString(body[:min(16, len(body))]))
			}
			found = fmt.Sprint(what, " ", n)
		}
		if found != story.acknowledged && found != story.begun && !(found == "delete" && (isDelete(story.acknowledged) || isDelete(story.begun))) {
			t.Errorf("%s is %q; acknowledged was %q and begun %q", key, found, story.acknowledged, story.begun)
		}
		story.acknowledged, story.begun = found, ""
	}
	if n := h.left(); n["intent"]+n["part"]+n["upload"] > 0 || n["body"] != small || h.bodies() != blobs {
		t.Errorf("left %v and %d bodies; objects have %d small and %d large ones", n, h.bodies(), small, blobs)
	}
}

func isDelete(step string) bool { return strings.HasPrefix(step, "delete") }

// whatOf tells how a body was put from its size.
func whatOf(size int) string {
	switch {
	case size >= minPart:
		return "parts"
	case size > inlineMax:
		return "large"
	}
	return "small"
}

// crashLease is how long what is to be removed stays with a process that died.
const crashLease = 100 * time.Millisecond

// reapSome removes some of what is to be removed.
func (s *Service) reapSome(ctx context.Context) error {
	messages, err := s.Store.Receive(ctx, reapQueue, store.ReceiveOptions{Max: 16, Lease: crashLease, Wait: crashLease})
	if err != nil {
		return err
	}
	for _, m := range messages {
		v := s.reap(ctx, m)
		err := s.Store.Update(ctx, func(tx store.Tx) error {
			if v.Again {
				return tx.Extend(m.Lease, 0)
			}
			return tx.Ack(m.Lease)
		})
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			return err
		}
	}
	return nil
}

// reapWhole removes all that is to be removed.
func (s *Service) reapWhole(ctx context.Context) error {
	for {
		stats, err := s.Store.Stats(ctx, reapQueue)
		if err != nil || stats.Ready+stats.Delayed+stats.Leased == 0 {
			return err
		}
		if err := s.reapSome(ctx); err != nil {
			return err
		}
	}
}
