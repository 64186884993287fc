package s3

import (
	"bytes"
	"context"
	"errors"
	"io"

	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob"
	"cirro/internal/store"
)

// opened is a version that is about to be read.
type opened struct {
	*version
	bucket     *bucket
	key        string
	expiration *string
	parts      []part // of a body in parts
	small      []byte // of a body in the store
	release    func() // ends what keeps the parts from being removed
}

// selection says which version to open, for what.
type selection struct {
	bucket, key, action string
	owner, versionID    *string
	check               func(v *version) error // that it fulfils the request's conditions
	customer            *customer
	body                bool // is read, too
}

// maxTries is how often a version is looked for again whose body was removed meanwhile: each time there is a newer one.
const maxTries = 16

// open reads a version's record, and what it takes to read its body. The caller closes it.
func (s *Service) open(ctx context.Context, sel selection) (*opened, error) {
	for try := 1; ; try++ {
		o := &opened{key: sel.key}
		err := s.Store.View(ctx, func(r store.Reader) error { return s.look(ctx, r, sel, o) })
		if err != nil {
			return nil, err
		}
		if !sel.body || o.Body.Kind != inParts {
			return o, nil
		}
		if s.reads.begin(o.Body.ID) {
			o.release = func() { s.reads.end(o.Body.ID) }
			return o, nil
		}
		if try == maxTries {
			return nil, blob.ErrNotFound
		}
	}
}

func (s *Service) look(ctx context.Context, r store.Reader, sel selection, o *opened) (err error) {
	if o.bucket, err = s.access(ctx, r, sel.bucket, sel.owner, sel.action, sel.key); err != nil {
		return err
	}
	if o.version, err = s.find(r, o.bucket, sel.key, sel.versionID); err != nil {
		return err
	}
	if sel.check != nil {
		if err := sel.check(o.version); err != nil {
			return err
		}
	}
	if err := sel.customer.opens(o.Customer); err != nil {
		return err
	}
	if sel.body && o.archived() && !o.Restored.After(s.Clock()) {
		return restoreNotAllowed.New("The operation is not valid for the object's storage class").With("StorageClass", o.Class)
	}
	if o.expiration, err = s.expiration(r, o.bucket, sel.key, o.version); err != nil {
		return err
	}
	switch {
	case o.Body.Kind == inParts:
		o.parts, err = partsOf(r, o.Body.ID)
	case o.Body.Kind == inStore && sel.body:
		o.small, err = r.Get(bodyKey(o.Body.ID))
	}
	return err
}

// archived reports whether a version would have to be restored before it is read.
func (v *version) archived() bool {
	return v.Class == api.StorageClassGlacier || v.Class == api.StorageClassDeepArchive
}

func (o *opened) close() {
	if o.release != nil {
		o.release()
		o.release = nil
	}
}

// content opens a range of the body for reading, or answers blob.ErrNotFound where the body was removed after its record
// was read. It closes what is opened when it is closed.
func (s *Service) content(ctx context.Context, o *opened, k *customer, at byteRange) (io.ReadCloser, error) {
	switch {
	case at.Length == 0 || o.Body.Kind == empty:
		o.close()
		return inMemory{bytes.NewReader(nil)}, nil
	case o.Body.Kind == inStore:
		data := o.small[at.Offset : at.Offset+at.Length]
		if k != nil {
			k.stream(o.Customer.Nonce, at.Offset).XORKeyStream(data, data)
		}
		return inMemory{bytes.NewReader(data)}, nil
	case o.Body.Kind == inBlobs:
		return s.segment(ctx, o.Body, o.Customer.Nonce, k, at)
	}
	c := &chain{ctx: ctx, service: s, customer: k, opened: o, at: at.Offset, left: at.Length}
	return c, c.next() // at once: where the body was removed before it was noted as read, that is told here
}

// inMemory is a body in memory.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// segment opens a range of one body that is in one place.
func (s *Service) segment(ctx context.Context, b body, nonce []byte, k *customer, at byteRange) (io.ReadCloser, error) {
	if b.Kind == inStore {
		var data []byte
		err := s.Store.View(ctx, func(r store.Reader) (err error) { data, err = r.Get(bodyKey(b.ID)); return err })
		if errors.Is(err, store.ErrNotFound) {
			err = blob.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		data = data[at.Offset : at.Offset+at.Length]
		if k != nil {
			k.stream(nonce, at.Offset).XORKeyStream(data, data)
		}
		return inMemory{bytes.NewReader(data)}, nil
	}
	file, err := s.Blobs.Range(ctx, blobKey(b.ID), at.Offset, at.Length)
	if err != nil || k == nil {
		return file, err
	}
	return opening{file, k.stream(nonce, at.Offset)}, nil
}

// chain is a range of a body that is in parts. It opens one part at a time.
type chain struct {
	ctx      context.Context
	service  *Service
	customer *customer
	opened   *opened
	at, left int64
	file     io.ReadCloser // the part that is being read
}

// next opens the part where the reading goes on. At the end, what is read need not be kept any more.
func (c *chain) next() error {
	if c.left == 0 {
		c.opened.close()
		return io.EOF
	}
	offset := c.at
	for i := range c.opened.parts {
		p := &c.opened.parts[i]
		if offset >= p.Size {
			offset -= p.Size
			continue
		}
		n := min(c.left, p.Size-offset)
		file, err := c.service.segment(c.ctx, p.Body, p.Nonce, c.customer, byteRange{offset, n})
		if err != nil {
			return err
		}
		c.file, c.at, c.left = file, c.at+n, c.left-n
		return nil
	}
	return io.ErrUnexpectedEOF
}

func (c *chain) Read(p []byte) (int, error) {
	for {
		if c.file == nil {
			if err := c.next(); err != nil {
				return 0, err
			}
		}
		n, err := c.file.Read(p)
		if err == io.EOF {
			err = c.endFile()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// WriteTo implements io.WriterTo.
func (c *chain) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if c.file == nil {
			if err := c.next(); err == io.EOF {
				return written, nil
			} else if err != nil {
				return written, err
			}
		}
		n, err := io.Copy(w, c.file)
		written += n
		if err = errors.Join(err, c.endFile()); err != nil {
			return written, err
		}
	}
}

func (c *chain) endFile() error {
	file := c.file
	c.file = nil
	return file.Close()
}

func (c *chain) Close() error {
	var err error
	if c.file != nil {
		err = c.endFile()
	}
	c.opened.close()
	return err
}

// partAt is the range of a part, by its number, of a version that may have come as one.
func (o *opened) partAt(number int) (byteRange, *part, error) {
	if o.Body.Kind != inParts {
		if number == 1 {
			return byteRange{0, o.Size}, nil, nil
		}
	}
	var offset int64
	for i := range o.parts {
		p := &o.parts[i]
		if p.Number == number {
			return byteRange{offset, p.Size}, p, nil
		}
		offset += p.Size
	}
	return byteRange{}, nil, invalidPartNumber.New("The requested partnumber is not satisfiable").
		With("PartNumberRequested", itoa(number)).With("ActualPartCount", itoa(max(1, len(o.parts))))
}

// request's reads of bodies that are being removed, or are read: a body in parts is either the one or the other.
type reads struct {
	registry
	removing registry
}

// begin notes that a body is read; false where it is just being removed.
func (r *reads) begin(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.removing.has(id) {
		return false
	}
	if r.ids == nil {
		r.ids = map[string]int{}
	}
	r.ids[id]++
	return true
}

// remove notes that a body is being removed; false where it is read.
func (r *reads) remove(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[id] > 0 {
		return false
	}
	r.removing.begin(id)
	return true
}
