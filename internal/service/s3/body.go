package s3

import (
	"context"
	"crypto/cipher"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

const (
	// inlineMax is how large a body may be to lie in the store: it is written with its record, in one
	// transaction, at once durable.
	inlineMax = 64 << 10
	// maxPut is how large a body may be that comes in one request.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	maxPut = 5 << 30
	// pieceSize is how much of a large body is read at a time, and pieces how many there are of each.
	pieceSize = 256 << 10
	pieces    = 4
)

// blobKey is where a large body is in the blob store: in one of 256 folders, so that none holds too many. Ids
// begin with the time, so the folder is told by their end.
func blobKey(id string) string { return "s3/" + id[len(id)-2:] + "/" + id }

// received is a body that came: a small one in memory, a large one durable in the blob store, where an intent
// keeps track of it until a record refers to it.
type received struct {
	body
	small []byte
	size  int64
	md5   []byte
	sum   checksum // of the whole
	given map[string]string
}

// reception says how a body is to be received.
type reception struct {
	in        io.Reader // nil for an empty one
	length    *int64    // what the client says of it, for what that is worth
	algorithm string    // of the checksum to make
	seal      cipher.Stream
}

// receive reads a body to its end.
func (s *Service) receive(ctx context.Context, r reception) (*received, error) {
	if r.in == nil {
		r.in = eof{}
	}
	got := &received{}
	sum := newSum(r.algorithm)
	first, ended, err := begin(r.in, awsapi.Val(r.length))
	if err != nil {
		return nil, bodyError(err)
	}
	if ended {
		digest := md5.Sum(first)
		got.size, got.md5 = int64(len(first)), digest[:]
		sum.Write(first)
		if r.seal != nil {
			r.seal.XORKeyStream(first, first)
		}
		if len(first) > 0 {
			got.body, got.small = body{inStore, newID(s.Clock())}, first
		}
	} else if err := s.receiveLarge(ctx, got, r, first, sum); err != nil {
		return nil, err
	}
	got.sum = checksum{r.algorithm, api.ChecksumTypeFullObject, sum.text()}
	if v, ok := r.in.(awsapi.Verified); ok {
		got.given = v.Checksums()
	}
	return got, nil
}

// eof is a body without bytes.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// begin reads the beginning of a body, and whether that is all of it. It starts with little room: most bodies are
// small, and what is read is kept.
func begin(in io.Reader, length int64) (first []byte, ended bool, err error) {
	b := make([]byte, 0, min(max(length, 511), inlineMax)+1)
	for {
		if len(b) == cap(b) {
			if len(b) > inlineMax {
				return b, false, nil
			}
			b = append(make([]byte, 0, min(4*cap(b), inlineMax+1)), b...)
		}
		n, err := in.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF && len(b) <= inlineMax {
			return b, true, nil
		}
		if err == io.EOF {
			return b, false, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// bodyError is the answer to a body that cannot be read. A reader on the way may have said why.
func bodyError(err error) error {
	if _, known := errors.AsType[*awsapi.Error](err); known {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return incompleteBody.New("You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return err
}

// receiveLarge streams a body to the blob store. Meanwhile it is hashed, and the intent written: the body is put in
// its place only when the intent is durable.
func (s *Service) receiveLarge(ctx context.Context, got *received, r reception, first []byte, sum *sum) error {
	got.body = body{inBlobs, newID(s.Clock())}
	s.uploads.begin(got.ID)
	intent := make(chan error, 1)
	go func() { intent <- s.intend(ctx, got.ID) }()
	p := &pipeline{first: first, rest: r.in, md5: md5.New(), sum: sum, limit: maxPut, seal: r.seal, ready: intent}
	_, err := s.Blobs.Put(ctx, blobKey(got.ID), p)
	if err != nil {
		if !p.waited {
			<-intent
		}
		s.discard(got)
		if p.failed != nil {
			return bodyError(p.failed)
		}
		return err
	}
	got.size, got.md5 = p.size, p.md5.Sum(nil)
	return nil
}

// intend notes that a body is about to be in the blob store, before it is.
func (s *Service) intend(ctx context.Context, id string) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return tx.Set(intentKey(id), nil) })
}

// land writes what a received body needs in the transaction that refers to it.
func (got *received) land(tx store.Tx) error {
	switch got.Kind {
	case inStore:
		return tx.Set(bodyKey(got.ID), got.small)
	case inBlobs:
		return tx.Delete(intentKey(got.ID))
	}
	return nil
}

// settle ends the reception of a body, with the error of the transaction that was to refer to it. Where the transaction was
// not refused but failed, it may have come to be all the same: then the sweep finds out by the intent.
func (s *Service) settle(got *received, err error) {
	if got.Kind != inBlobs {
		return
	}
	if _, refused := errors.AsType[*awsapi.Error](err); refused || errors.Is(err, context.Canceled) {
		s.discard(got)
		return
	}
	s.uploads.end(got.ID)
}

// discard removes a body that nothing will refer to. Where that fails, the sweep finds its intent.
func (s *Service) discard(got *received) {
	defer s.uploads.end(got.ID)
	if err := s.removeIntended(context.WithoutCancel(s.ctx), got.ID); err != nil {
		s.Log.Warn("s3: a body that was not kept is left to the sweep", "id", got.ID, "error", err)
	}
}

func (s *Service) removeIntended(ctx context.Context, id string) error {
	if err := s.Blobs.Delete(ctx, blobKey(id)); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error { return tx.Delete(intentKey(id)) })
}

// pipeline is a large body on its way to the blob store. While one piece is written, the next is read and the one
// before hashed.
type pipeline struct {
	first []byte
	rest  io.Reader
	md5   hash.Hash
	sum   *sum
	limit int64
	seal  cipher.Stream // nil where the body is not encrypted
	ready chan error    // says that the body may be put in its place

	size    int64
	waited  bool
	failed  error // of reading
	scratch []byte
}

var pieceBuffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// Read implements io.Reader, for blob stores that take no bodies that write themselves.
func (p *pipeline) Read(b []byte) (int, error) {
	if p.failed != nil {
		return 0, p.failed
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	var err error
	if n == 0 {
		n, err = p.rest.Read(b)
	}
	p.md5.Write(b[:n])
	p.sum.Write(b[:n])
	if p.seal != nil {
		p.seal.XORKeyStream(b[:n], b[:n])
	}
	if p.size += int64(n); p.size > p.limit {
		err = tooLarge()
	}
	if err == io.EOF {
		err = p.wait()
		if err == nil {
			return n, io.EOF
		}
		return 0, err
	}
	p.failed = err
	return n, err
}

// wait waits until the body may be put in its place.
func (p *pipeline) wait() error {
	if p.waited {
		return nil
	}
	p.waited = true
	if err := <-p.ready; err != nil {
		return fmt.Errorf("s3: intent: %w", err)
	}
	return nil
}

// WriteTo implements io.WriterTo.
func (p *pipeline) WriteTo(w io.Writer) (int64, error) {
	hashing := make(chan []byte, pieces)
	free := make(chan *[pieceSize]byte, pieces)
	for range pieces {
		free <- pieceBuffers.Get().(*[pieceSize]byte)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for piece := range hashing {
			p.md5.Write(piece)
			p.sum.Write(piece)
			if cap(piece) == pieceSize {
				free <- (*[pieceSize]byte)(piece[:pieceSize])
			}
		}
	}()
	err := p.pump(w, hashing, free)
	close(hashing)
	<-done
	for range pieces {
		pieceBuffers.Put(<-free)
	}
	if err == nil {
		err = p.wait()
	}
	return p.size, err
}

// pump reads pieces, hands them to be hashed and writes them. Every piece it takes from free comes back.
func (p *pipeline) pump(w io.Writer, hashing chan<- []byte, free chan *[pieceSize]byte) error {
	hashing <- p.first[:len(p.first):len(p.first)]
	if _, err := w.Write(p.sealed(p.first)); err != nil {
		return err
	}
	p.size = int64(len(p.first))
	for {
		buffer := <-free
		n, err := fill(p.rest, buffer[:])
		p.size += int64(n)
		if n == 0 {
			free <- buffer
		} else {
			hashing <- buffer[:n:pieceSize]
		}
		switch {
		case p.size > p.limit:
			p.failed = tooLarge()
			return p.failed
		case err != nil && err != io.EOF:
			p.failed = err
			return err
		}
		if _, err := w.Write(p.sealed(buffer[:n])); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
	}
}

// fill reads until b is full. Unlike io.ReadFull it leaves an error as it is: one body ends, another breaks off.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// sealed is a piece as it is to be written. The piece itself stays as it is: it may just be being hashed.
func (p *pipeline) sealed(piece []byte) []byte {
	if p.seal == nil {
		return piece
	}
	if p.scratch == nil {
		p.scratch = make([]byte, pieceSize)
	}
	p.seal.XORKeyStream(p.scratch[:len(piece)], piece)
	return p.scratch[:len(piece)]
}

func tooLarge() error {
	return entityTooLarge.New("Your proposed upload exceeds the maximum allowed size").With("MaxSizeAllowed", fmt.Sprint(int64(maxPut)))
}

// registry knows what is under way in this process, by id.
type registry struct {
	mu  sync.Mutex
	ids map[string]int
}

func (r *registry) begin(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[string]int{}
	}
	r.ids[id]++
}

func (r *registry) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id]--; r.ids[id] <= 0 {
		delete(r.ids, id)
	}
}

func (r *registry) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[id] > 0
}
