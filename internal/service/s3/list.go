package s3

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// maxPage is how many keys, versions, uploads or parts a page has at most.
const maxPage = 1000

// page is how a request asks for one page of a list.
type page struct {
	grouping
	after   string // the last key, or common prefix, of the page before
	max     int
	escaped bool // keys are told in the encoding of URLs
}

// newPage reads what all lists have in common. maxName is the name that the maximum has in the query string.
func newPage(prefix, delimiter, encoding *string, most *int32, maxName string) (page, error) {
	p := page{grouping: grouping{awsapi.Val(prefix), awsapi.Val(delimiter)}, max: maxPage}
	if most != nil {
		if *most < 0 {
			return p, invalidArgument.New("Argument %s must be an integer between 0 and 2147483647", maxName).
				With("ArgumentName", maxName).With("ArgumentValue", itoa(int(*most)))
		}
		p.max = min(int(*most), maxPage)
	}
	if encoding != nil {
		if *encoding != api.EncodingTypeUrl {
			return p, invalidArgument.New("Invalid Encoding Method specified in Request").
				With("ArgumentName", "encoding-type").With("ArgumentValue", *encoding)
		}
		p.escaped = true
	}
	return p, nil
}

// tell is a key or prefix as the reply has it.
func (p *page) tell(s string) *string {
	if p.escaped {
		s = escapeKey(s)
	}
	return &s
}

// tellSome is tell for what is left out where it is not there.
func (p *page) tellSome(s string) *string {
	if s == "" {
		return nil
	}
	return p.tell(s)
}

func (p *page) encodingType() *string {
	if !p.escaped {
		return nil
	}
	return new(api.EncodingTypeUrl)
}

// escapeKey writes a key in the encoding of URLs as S3 does: slashes stay, spaces are pluses.
func escapeKey(s string) string {
	return unescaped.Replace(url.QueryEscape(s))
}

var unescaped = strings.NewReplacer("%2F", "/", "%2A", "*", "~", "%7E")

// listed is one page of a list of objects.
type listed struct {
	contents  []api.Object
	prefixes  []api.CommonPrefix
	last      string // the last key or prefix on it
	truncated bool
}

// objects lists a page of a bucket's objects.
func (s *Service) objects(r store.Reader, b *bucket, p *page, owner *api.Owner) (l listed, err error) {
	c := newCursor(r, "object", b.ID, p.prefix)
	defer c.close()
	if err := c.seek(p.start(c)); err != nil || p.max == 0 {
		return l, err
	}
	for c.open {
		if len(l.contents)+len(l.prefixes) == p.max {
			l.truncated = true
			break
		}
		if g := p.group(c.key); g != "" {
			l.prefixes, l.last = append(l.prefixes, api.CommonPrefix{Prefix: p.tell(g)}), g
			if err := c.skip(g); err != nil {
				return l, err
			}
			continue
		}
		v, err := decodeVersion(c.kv.Value)
		if err != nil {
			return l, err
		}
		l.contents, l.last = append(l.contents, v.listed(p.tell(c.key), owner)), c.key
		if err := c.step(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// start is where a page begins.
func (p *page) start(c *cursor) []byte {
	switch {
	case p.after == "":
		return nil
	case p.isGroup(p.after):
		return behind(c.over, c.base, p.after)
	}
	return append(store.AppendKey(c.over.Start[:c.base:c.base], p.after), 0)
}

// listed is a version as an entry of a list of objects.
func (v *version) listed(key *string, owner *api.Owner) api.Object {
	o := api.Object{Key: key, LastModified: &v.Modified, ETag: new(quoted(v.ETag)), Size: &v.Size, StorageClass: v.class(), Owner: owner}
	if v.Checksum.Value != "" {
		o.ChecksumAlgorithm, o.ChecksumType = []string{v.Checksum.Algorithm}, &v.Checksum.Type
	}
	return o
}

// ListObjectsV2 lists a bucket's objects.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *Service) ListObjectsV2(ctx context.Context, in *api.ListObjectsV2Request) (*api.ListObjectsV2Output, error) {
	p, err := newPage(in.Prefix, in.Delimiter, in.EncodingType, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	p.after = awsapi.Val(in.StartAfter)
	if in.ContinuationToken != nil {
		var ok bool
		if p.after, ok = readToken(*in.ContinuationToken); !ok {
			return nil, invalidArgument.New("The continuation token provided is incorrect").With("ArgumentName", "continuation-token")
		}
	}
	var l listed
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListBucket", "")
		if err != nil {
			return err
		}
		var owner *api.Owner
		if awsapi.Val(in.FetchOwner) {
			owner = ownerOf(b.Account)
		}
		l, err = s.objects(r, b, &p, owner)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListObjectsV2Output{Name: in.Bucket, Prefix: p.tell(p.prefix), Delimiter: p.tellSome(p.delimiter), MaxKeys: new(int32(p.max)),
		EncodingType: p.encodingType(), Contents: l.contents, CommonPrefixes: l.prefixes, KeyCount: new(int32(len(l.contents) + len(l.prefixes))),
		IsTruncated: &l.truncated, ContinuationToken: in.ContinuationToken}
	if in.StartAfter != nil {
		out.StartAfter = p.tell(*in.StartAfter)
	}
	if l.truncated {
		out.NextContinuationToken = new(newToken(l.last))
	}
	return out, nil
}

// newToken makes an opaque token of where a page ends.
func newToken(last string) string { return "1" + base64.RawURLEncoding.EncodeToString([]byte(last)) }

func readToken(token string) (last string, ok bool) {
	text, ok := strings.CutPrefix(token, "1")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return string(raw), ok && err == nil && len(raw) > 0
}

// ListObjects lists a bucket's objects as it was done before ListObjectsV2.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
func (s *Service) ListObjects(ctx context.Context, in *api.ListObjectsRequest) (*api.ListObjectsOutput, error) {
	p, err := newPage(in.Prefix, in.Delimiter, in.EncodingType, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	p.after = awsapi.Val(in.Marker)
	var l listed
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListBucket", "")
		if err != nil {
			return err
		}
		l, err = s.objects(r, b, &p, ownerOf(b.Account))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListObjectsOutput{Name: in.Bucket, Prefix: p.tell(p.prefix), Marker: p.tell(p.after), Delimiter: p.tellSome(p.delimiter),
		MaxKeys: new(int32(p.max)), EncodingType: p.encodingType(), Contents: l.contents, CommonPrefixes: l.prefixes, IsTruncated: &l.truncated}
	if l.truncated && p.delimiter != "" { // otherwise the last key serves
		out.NextMarker = p.tell(l.last)
	}
	return out, nil
}
