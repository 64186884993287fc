package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob"
	"cirro/internal/blob/dir"
	"cirro/internal/store"
)

// hall is a desk whose bodies lie in a directory that a test knows, with the work in the background started.
type hall struct {
	*desk
	dir string
}

func newHall(t *testing.T) *hall {
	t.Helper()
	d := newDesk(t)
	h := &hall{d, t.TempDir()}
	var err error
	if d.Blobs, err = dir.Open(h.dir); err != nil {
		t.Fatal(err)
	}
	return h
}

// bodies counts the bodies in the blob store.
func (h *hall) bodies() int { h.t.Helper(); return files(h.t, filepath.Join(h.dir, "bodies")) }

// reapAll carries out all that is to be removed.
func (h *hall) reapAll() {
	h.t.Helper()
	for {
		messages, err := h.Store.Receive(h.ctx(), reapQueue, store.ReceiveOptions{Max: 16, Lease: leaseForTests})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(messages) == 0 {
			return
		}
		for _, m := range messages {
			v := h.reap(h.ctx(), m)
			err := h.Store.Update(h.ctx(), func(tx store.Tx) error {
				if v.Again {
					return tx.Extend(m.Lease, 0)
				}
				return tx.Ack(m.Lease)
			})
			if err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

const leaseForTests = 1 << 36 // about a minute

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func (h *hall) get(bucket, key string, more ...func(*api.GetObjectRequest)) []byte {
	h.t.Helper()
	in := &api.GetObjectRequest{Bucket: &bucket, Key: &key}
	for _, f := range more {
		f(in)
	}
	return readBody(h.t, ok(h.GetObject(h.ctx(), in))(h.t))
}

// readBody reads a body by one of the two ways that there are.
func readBody(t *testing.T, out *api.GetObjectOutput) []byte {
	t.Helper()
	defer out.Body.(io.Closer).Close()
	var b bytes.Buffer
	var err error
	if own, is := out.Body.(io.WriterTo); is && rand.IntN(2) == 0 {
		_, err = own.WriteTo(&b)
	} else {
		_, err = io.Copy(&b, struct{ io.Reader }{out.Body})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Bodies of all sizes, around those where they go elsewhere, come back whole and in part; when they are deleted nothing is left.
func TestBodies(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	sizes := []int{0, 1, 511, 512, 513, inlineMax - 1, inlineMax, inlineMax + 1, pieceSize, pieceSize + inlineMax + 1, 3*pieceSize + 17}
	for _, size := range sizes {
		data := noise(size)
		for _, way := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			if size > pieceSize && fmt.Sprintf("%p", way) == fmt.Sprintf("%p", iotest.OneByteReader) {
				continue
			}
			out := ok(h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: new("k"), Body: way(bytes.NewReader(data))}))(t)
			if sum := md5.Sum(data); *out.ETag != quoted(hex.EncodeToString(sum[:])) {
				t.Errorf("%d bytes have the ETag %s", size, *out.ETag)
			}
			if !bytes.Equal(h.get("bucket", "k"), data) {
				t.Errorf("%d bytes came back otherwise", size)
			}
		}
		for range 5 {
			if size == 0 {
				break
			}
			from := rand.IntN(size)
			to := from + rand.IntN(size-from)
			got := h.get("bucket", "k", func(in *api.GetObjectRequest) { in.Range = new(fmt.Sprintf("bytes=%d-%d", from, to)) })
			if !bytes.Equal(got, data[from:to+1]) {
				t.Errorf("%d to %d of %d bytes came back otherwise", from, to, size)
			}
		}
		h.reapAll()
		want := 0
		if size > inlineMax {
			want = 1
		}
		if n := h.bodies(); n != want {
			t.Errorf("%d bodies, not %d, of %d bytes", n, want, size)
		}
	}
	ok(h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: new("k")}))(t)
	h.reapAll()
	h.expectNothing()
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}

// A body that breaks off, is refused or is not wanted leaves nothing, and what was there stays.
func TestFailedUploadsLeaveNothing(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	h.put("bucket", "k", "before")
	broken := errors.New("broken")
	for name, in := range map[string]*api.PutObjectRequest{
		"a small one breaks off":            {Body: io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))},
		"a large one breaks off":            {Body: io.MultiReader(bytes.NewReader(noise(3*pieceSize)), iotest.ErrReader(broken))},
		"the connection ends in a small":    {Body: io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))},
		"the connection ends in a large":    {Body: io.MultiReader(bytes.NewReader(noise(pieceSize+3)), iotest.ErrReader(io.ErrUnexpectedEOF))},
		"a large one must not be there yet": {Body: bytes.NewReader(noise(2 * pieceSize)), IfNoneMatch: new("*")},
		"a large one without a bucket":      {Body: bytes.NewReader(noise(2 * pieceSize)), Bucket: new("nowhere")},
		"a checksum that is not there":      {Body: bytes.NewReader(noise(2 * pieceSize)), ChecksumAlgorithm: new("CRC32")},
	} {
		if in.Bucket == nil {
			in.Bucket = new("bucket")
		}
		in.Key = new("k")
		if _, err := h.PutObject(h.ctx(), in); err == nil {
			t.Errorf("%s: no error", name)
		}
		if n := h.left(); n["intent"] > 0 || n["body"] != 1 || h.bodies() > 0 {
			t.Errorf("%s: left %v and %d bodies", name, n, h.bodies())
		}
		if got := h.get("bucket", "k"); string(got) != "before" {
			t.Errorf("%s: it is %.20q", name, got)
		}
	}
	ctx, cancel := context.WithCancel(h.ctx())
	cancel()
	if _, err := h.PutObject(ctx, &api.PutObjectRequest{Bucket: new("bucket"), Key: new("k"), Body: bytes.NewReader(noise(2 * pieceSize))}); err == nil {
		t.Error("an upload that nobody waits for succeeded")
	}
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}

// What a process left half done when it died is removed by the next.
func TestSweep(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	ctx := h.ctx()
	kept := noise(2 * pieceSize)
	ok(h.PutObject(ctx, &api.PutObjectRequest{Bucket: new("bucket"), Key: new("kept"), Body: bytes.NewReader(kept)}))(t)
	// As if the process had died between the body and the transaction that refers to it, and before the body.
	if _, err := h.receive(ctx, reception{in: bytes.NewReader(noise(2 * pieceSize)), algorithm: defaultAlgorithm}); err != nil {
		t.Fatal(err)
	}
	if err := h.intend(ctx, newID(h.clock.Now())); err != nil {
		t.Fatal(err)
	}
	if n := h.left(); n["intent"] != 2 || h.bodies() != 2 {
		t.Fatalf("%v and %d bodies", n, h.bodies())
	}
	sweep := func(shared bool) {
		other := New(Deps{Store: h.Store, Blobs: h.Blobs, Clock: h.clock.Now, Shared: shared})
		defer other.Close()
		if err := other.sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if sweep(true); h.left()["intent"] != 2 {
		t.Error("what another process may be about was removed")
	}
	if err := h.sweep(ctx); err != nil || h.left()["intent"] != 1 {
		t.Error("what this process is about was removed, or what it is not stays", err)
	}
	sweep(false)
	if n := h.left(); n["intent"] != 0 || h.bodies() != 1 {
		t.Errorf("left %v and %d bodies", n, h.bodies())
	}
	if !bytes.Equal(h.get("bucket", "kept"), kept) {
		t.Error("what was acknowledged is not whole")
	}
}

// A reader under way finishes, whatever becomes of what it reads.
func TestReadersFinish(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	data := h.uploaded("bucket", "parts", 3)
	large := noise(2 * pieceSize)
	ok(h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: new("large"), Body: bytes.NewReader(large)}))(t)
	for key, want := range map[string][]byte{"parts": data, "large": large} {
		out := ok(h.GetObject(h.ctx(), &api.GetObjectRequest{Bucket: new("bucket"), Key: &key}))(t)
		begin := make([]byte, 10)
		if _, err := io.ReadFull(out.Body, begin); err != nil {
			t.Fatal(err)
		}
		ok(h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key}))(t)
		m := ok(h.Store.Receive(h.ctx(), reapQueue, store.ReceiveOptions{Max: 1, Lease: leaseForTests}))(t)
		v := h.reap(h.ctx(), m[0])
		if v.Again != (key == "parts") {
			t.Errorf("%s: its removal is %+v", key, v)
		}
		rest, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(append(begin, rest...), want) {
			t.Errorf("%s: %d bytes, %v", key, len(rest), err)
		}
		out.Body.(io.Closer).Close()
		v = h.reap(h.ctx(), m[0])
		if v.Again {
			t.Errorf("%s: its removal waits though nobody reads it", key)
		}
	}
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}

// A body that was removed between the look at its record and the note that it is read is told to be gone before the first
// byte: then there is another, or none.
func TestBodiesRemovedUnnoticed(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	for name, make := range map[string]func(){
		"parts": func() { h.uploaded("bucket", "k", 2) },
		"large": func() {
			ok(h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: new("k"), Body: bytes.NewReader(noise(2 * pieceSize))}))(t)
		},
	} {
		make()
		o := ok(h.open(h.ctx(), selection{bucket: "bucket", key: "k", body: true}))(t)
		o.close()
		ok(h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: new("k")}))(t)
		h.reapAll()
		for _, at := range []byteRange{{0, o.Size}, {o.Size - 1, 1}} {
			if _, err := h.content(h.ctx(), o, nil, at); !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s %+v: %v", name, at, err)
			}
		}
	}
}

// What a customer's key encrypts is not on the disk in the clear, and comes back with the key alone.
func TestCustomersKeys(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	key := noise(32)
	sum := md5.Sum(key)
	algorithm, text, digest := new("AES256"), new(base64.StdEncoding.EncodeToString(key)), new(base64.StdEncoding.EncodeToString(sum[:]))
	for _, size := range []int{100, inlineMax + 5, 2*pieceSize + 33} {
		data := bytes.Repeat([]byte("secret  "), size/8)
		ok(h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: new("k"), Body: bytes.NewReader(slices.Clone(data)),
			SSECustomerAlgorithm: algorithm, SSECustomerKey: text, SSECustomerKeyMD5: digest}))(t)
		with := func(in *api.GetObjectRequest) {
			in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = algorithm, text, digest
		}
		if !bytes.Equal(h.get("bucket", "k", with), data) {
			t.Errorf("%d bytes came back otherwise", size)
		}
		part := h.get("bucket", "k", with, func(in *api.GetObjectRequest) { in.Range = new("bytes=21-90") })
		if !bytes.Equal(part, data[21:91]) {
			t.Errorf("a range is %q", part)
		}
		if raw := h.stored("bucket", "k"); len(raw) != len(data) || bytes.Contains(raw, []byte("secret")) {
			t.Errorf("%d bytes are kept in the clear", size)
		}
		for name, change := range map[string]func(*api.GetObjectRequest){
			"no key": func(*api.GetObjectRequest) {},
			"another key": func(in *api.GetObjectRequest) {
				with(in)
				other := noise(32)
				sum := md5.Sum(other)
				in.SSECustomerKey, in.SSECustomerKeyMD5 = new(base64.StdEncoding.EncodeToString(other)), new(base64.StdEncoding.EncodeToString(sum[:]))
			},
			"a wrong digest": func(in *api.GetObjectRequest) { with(in); in.SSECustomerKeyMD5 = new("x") },
			"a short key":    func(in *api.GetObjectRequest) { with(in); in.SSECustomerKey = new("eA==") },
			"another cipher": func(in *api.GetObjectRequest) { with(in); in.SSECustomerAlgorithm = new("DES") },
		} {
			in := &api.GetObjectRequest{Bucket: new("bucket"), Key: new("k")}
			change(in)
			if _, err := h.GetObject(h.ctx(), in); err == nil {
				t.Errorf("%s: no error", name)
			} else if _, known := errors.AsType[*awsapi.Error](err); !known {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// stored is the current body of a key as it is kept.
func (h *hall) stored(bucket, key string) (raw []byte) {
	h.t.Helper()
	var at body
	err := h.Store.View(h.ctx(), func(r store.Reader) error {
		b, err := h.bucketOf(r, bucket)
		if err != nil {
			return err
		}
		v, err := h.current(r, b, key)
		if err != nil {
			return err
		}
		if at = v.Body; at.Kind == inStore {
			raw, err = r.Get(bodyKey(at.ID))
		}
		return err
	})
	if err == nil && at.Kind == inBlobs {
		var file io.ReadSeekCloser
		if file, _, err = h.Blobs.Get(h.ctx(), blobKey(at.ID)); err == nil {
			defer file.Close()
			raw, err = io.ReadAll(file)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

// failing is a store whose next transactions fail, or do not say that they were successful.
type failing struct {
	store.Store
	silent bool // they are successful
	broken bool
}

func (f *failing) Update(ctx context.Context, do func(store.Tx) error) error {
	if !f.broken {
		return f.Store.Update(ctx, do)
	}
	if f.silent {
		if err := f.Store.Update(ctx, do); err != nil {
			return err
		}
	}
	return errors.New("the connection broke")
}

// breaking is a body that breaks a store when it has come to its end.
type breaking struct {
	io.Reader
	store *failing
	ready func() bool
}

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		for !b.ready() { // the intent is written by another goroutine
			runtime.Gosched()
		}
		b.store.broken = true
	}
	return n, err
}

// Where nobody knows whether a transaction was successful, the body stays until that is known.
func TestTransactionsOfUnknownEnd(t *testing.T) {
	for _, silent := range []bool{false, true} {
		h := newHall(t)
		h.bucket("bucket", false)
		below := h.Store
		f := &failing{Store: below, silent: silent}
		h.Store = f
		data := noise(2 * pieceSize)
		intended := func() bool {
			h := &desk{Service: &Service{Deps: Deps{Store: below}}, t: t}
			return h.left()["intent"] > 0
		}
		_, err := h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: new("k"), Body: breaking{bytes.NewReader(data), f, intended}})
		if err == nil {
			t.Fatal("no error")
		}
		f.broken = false
		if n := h.bodies(); n != 1 {
			t.Errorf("%d bodies", n)
		}
		if err := h.sweep(h.ctx()); err != nil {
			t.Fatal(err)
		}
		if silent && !bytes.Equal(h.get("bucket", "k"), data) {
			t.Error("the object is not whole")
		}
		want := map[bool]int{true: 1}[silent]
		if n := h.left(); n["intent"] != 0 || n["object"] != want || h.bodies() != want {
			t.Errorf("left %v and %d bodies", n, h.bodies())
		}
	}
}
