package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"cirro/internal/blob"
)

// Store is a blob.Store in a bucket.
type Store struct {
	client *s3.Client
	upload *transfermanager.Client
	bucket string
	prefix string
}

var _ blob.Store = (*Store)(nil)

// place is what a URL says.
type place struct {
	bucket, prefix, endpoint, region string
	virtualHosts                     bool
}

// parse reads a URL of the form s3://bucket/prefix?endpoint=https://…&region=…&addressing=virtual. An endpoint is
// addressed by paths unless it says otherwise.
func parse(from string) (p place, err error) {
	u, err := url.Parse(from)
	if err != nil {
		return place{}, err
	}
	if u.Scheme != "s3" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return place{}, fmt.Errorf("%q is not s3://bucket/prefix", from)
	}
	p = place{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), virtualHosts: true}
	if p.prefix != "" {
		if err := blob.CheckKey(p.prefix); err != nil {
			return place{}, err
		}
		p.prefix += "/"
	}
	for name, values := range u.Query() {
		switch name {
		case "endpoint":
			p.endpoint, p.virtualHosts = values[0], false
		case "region":
			p.region = values[0]
		case "addressing":
		default:
			return place{}, fmt.Errorf("%q has an unknown parameter %s: there are endpoint, region and addressing", from, name)
		}
	}
	switch addressing := u.Query().Get("addressing"); addressing {
	case "":
	case "path", "virtual":
		p.virtualHosts = addressing == "virtual"
	default:
		return place{}, fmt.Errorf("%q: addressing is path or virtual, not %q", from, addressing)
	}
	return p, nil
}

// Open opens the store at a URL, s3://bucket/prefix, with the parameters endpoint, for another store than Amazon's;
// region; and addressing, path or virtual. Credentials come from where AWS's tools look for them
// (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html). The bucket must be there.
func Open(ctx context.Context, from string) (*Store, error) {
	s, err := open(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, from string) (*Store, error) {
	p, err := parse(from)
	if err != nil {
		return nil, err
	}
	client, err := p.client(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &p.bucket}); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", p.bucket, err)
	}
	upload := transfermanager.New(client, func(o *transfermanager.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.DisableChecksumValidation = true
	})
	return &Store{client: client, upload: upload, bucket: p.bucket, prefix: p.prefix}, nil
}

// client speaks to the place.
func (p place) client(ctx context.Context) (*s3.Client, error) {
	found, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	if p.region != "" {
		found.Region = p.region
	}
	if found.Region == "" {
		found.Region = "us-east-1"
	}
	return s3.NewFromConfig(found, func(o *s3.Options) {
		o.UsePathStyle = !p.virtualHosts
		if p.endpoint != "" {
			o.BaseEndpoint = &p.endpoint
		}
		// Not every store knows the checksums that Amazon's asks for lately.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}), nil
}

// key is a body's object.
func (s *Store) key(of string) (*string, error) {
	if err := blob.CheckKey(of); err != nil {
		return nil, err
	}
	return new(s.prefix + of), nil
}

// Put uploads a body, in parts where it is large; see blob.Store.
func (s *Store) Put(ctx context.Context, key string, body io.Reader) (int64, error) {
	object, err := s.key(key)
	if err != nil {
		return 0, err
	}
	counted := &counting{r: body}
	if _, err := s.upload.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &s.bucket, Key: object, Body: counted}); err != nil {
		if counted.err != nil {
			err = counted.err
		}
		return 0, fmt.Errorf("blob: put %s: %w", key, err)
	}
	return counted.n, nil
}

// counting counts what is read, and remembers why it failed. It hides all but Read: what is a file, say, might
// be read twice.
type counting struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Get opens a body; see blob.Store. A body that is replaced while it is read fails.
func (s *Store) Get(ctx context.Context, key string) (io.ReadSeekCloser, int64, error) {
	object, err := s.key(key)
	if err != nil {
		return nil, 0, err
	}
	r := &reader{s: s, ctx: ctx, key: object}
	if err := r.open(); err != nil {
		return nil, 0, explain("get", key, err)
	}
	return r, r.size, nil
}

// Range opens a part of a body; see blob.Store.
func (s *Store) Range(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	object, err := s.key(key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("blob: %d bytes from %d are no range", length, offset)
	}
	if length == 0 { // what HTTP cannot ask for
		if _, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: object}); err != nil {
			return nil, explain("get", key, err)
		}
		return http.NoBody, nil
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: object,
		Range: new(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))})
	if answer := smithy.APIError(nil); errors.As(err, &answer) && answer.ErrorCode() == "InvalidRange" {
		return &exactly{http.NoBody, length}, nil // it is there, and ends before
	}
	if err != nil {
		return nil, explain("get", key, err)
	}
	return &exactly{out.Body, length}, nil
}

// exactly is a body of which so many bytes are to come.
type exactly struct {
	io.ReadCloser
	left int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(b[:min(int64(len(b)), e.left)])
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Delete removes a body; see blob.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	object, err := s.key(key)
	if err != nil {
		return err
	}
	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: object})
	if missing(err) {
		return nil
	}
	return explain("delete", key, err)
}

// missing says whether an error is that there is no such object.
func missing(err error) bool {
	answer := smithy.APIError(nil)
	return errors.As(err, &answer) && (answer.ErrorCode() == "NoSuchKey" || answer.ErrorCode() == "NotFound")
}

func explain(what, key string, err error) error {
	if missing(err) {
		return blob.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("blob: %s %s: %w", what, key, err)
	}
	return nil
}
