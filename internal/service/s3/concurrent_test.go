package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	api "cirro/internal/awsapi/s3"
)

// Of many who want to be the first, one is.
func TestOneIsFirst(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	for round := range 5 {
		key := fmt.Sprint("k", round)
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				size := 10 + i%2*2*inlineMax
				_, err := h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: &key, Body: bytes.NewReader(make([]byte, size)), IfNoneMatch: new("*")})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, preconditionFailed):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d were the first", won.Load())
		}
	}
	if n := h.left(); n["object"] != 5 || n["intent"] != 0 {
		t.Errorf("left %v", n)
	}
}

// TestReadersAmongWriters reads objects while they are put, in all ways, copied, deleted, and what they were is removed: every
// reader gets one of the bodies that were put, whole.
func TestReadersAmongWriters(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	h.Start(t.Context())
	bodies := [][]byte{[]byte(strings.Repeat("a", 100)), []byte(strings.Repeat("b", 2*inlineMax)), []byte(strings.Repeat("c", pieceSize+1))}
	whole := func(got []byte) bool {
		return len(got) > 0 && bytes.Count(got, got[:1]) == len(got) && (got[0] == 'd' && len(got) == minPart+5 || got[0] <= 'c' && len(got) == len(bodies[got[0]-'a']))
	}
	steps := []func(key string) error{
		func(key string) error {
			_, err := h.PutObject(h.ctx(), &api.PutObjectRequest{Bucket: new("bucket"), Key: &key, Body: bytes.NewReader(bytes.Clone(bodies[rand.IntN(3)]))})
			return err
		},
		func(key string) error {
			_, err := h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key})
			return err
		},
		func(key string) error {
			_, err := h.CopyObject(h.ctx(), &api.CopyObjectRequest{Bucket: new("bucket"), Key: &key, CopySource: new(fmt.Sprint("bucket/", rand.IntN(2))), MetadataDirective: new("REPLACE")})
			return err
		},
		func(key string) error {
			u, err := h.CreateMultipartUpload(h.ctx(), &api.CreateMultipartUploadRequest{Bucket: new("bucket"), Key: &key})
			if err != nil {
				return err
			}
			var parts []api.CompletedPart
			for i, size := range []int{minPart, 5} {
				out, err := h.UploadPart(h.ctx(), &api.UploadPartRequest{Bucket: new("bucket"), Key: &key, UploadId: u.UploadId, PartNumber: new(int32(i + 1)),
					Body: bytes.NewReader(bytes.Repeat([]byte("d"), size))})
				if err != nil {
					return err
				}
				parts = append(parts, api.CompletedPart{PartNumber: new(int32(i + 1)), ETag: out.ETag})
			}
			_, err = h.complete("bucket", key, *u.UploadId, parts...)
			return err
		},
	}
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for range 3 {
		writers.Go(func() {
			for range 25 {
				if err := steps[rand.IntN(len(steps))](fmt.Sprint(rand.IntN(2))); err != nil && !errors.Is(err, api.NoSuchKey) {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				out, err := h.GetObject(h.ctx(), &api.GetObjectRequest{Bucket: new("bucket"), Key: new(fmt.Sprint(rand.IntN(2)))})
				if errors.Is(err, api.NoSuchKey) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(out.Body)
				if err != nil || !whole(got) || int64(len(got)) != *out.ContentLength {
					t.Errorf("%d bytes of %d: %.10q %v", len(got), *out.ContentLength, got, err)
				}
				out.Body.(io.Closer).Close()
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	for _, key := range []string{"0", "1"} {
		ok(h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key}))(t)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.reapWhole(h.ctx()); err != nil { // what was still read waits
		t.Fatal(err)
	}
	h.expectNothing()
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}
