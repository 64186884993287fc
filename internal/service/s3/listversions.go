package s3

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// listedVersions is one page of a list of versions.
type listedVersions struct {
	versions  []api.ObjectVersion
	markers   []api.DeleteMarkerEntry
	prefixes  []api.CommonPrefix
	last      string // the last key or prefix on it
	lastID    string // the last version of that key; "" of a prefix
	truncated bool
}

func (l *listedVersions) count() int { return len(l.versions) + len(l.markers) + len(l.prefixes) }

// history walks all versions of a bucket's objects: the current ones and the others are two spaces of keys, and of one
// object the current version comes first.
type history struct{ current, others *cursor }

// at is the cursor that comes next, nil at the end.
func (h *history) at() *cursor {
	switch {
	case !h.current.open && !h.others.open:
		return nil
	case !h.others.open, h.current.open && h.current.key <= h.others.key:
		return h.current
	}
	return h.others
}

// skip moves behind all keys with a prefix.
func (h *history) skip(prefix string) error {
	for c := h.at(); c != nil && len(c.key) >= len(prefix) && c.key[:len(prefix)] == prefix; c = h.at() {
		if err := c.skip(prefix); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) close() {
	h.current.close()
	h.others.close()
}

// versions lists a page of the versions of a bucket's objects. afterID, where not "", is the last version of the key that
// the page before ended with.
func (s *Service) versions(r store.Reader, b *bucket, p *page, afterID string) (l listedVersions, err error) {
	h := &history{newCursor(r, "object", b.ID, p.prefix), newCursor(r, "version", b.ID, p.prefix)}
	defer h.close()
	seen := "" // the key whose newest version was met
	if err := h.current.seek(p.start(h.current)); err != nil || p.max == 0 {
		return l, err
	}
	from := p.start(h.others)
	if p.after != "" && !p.isGroup(p.after) {
		from = append(from[:len(from)-1], 0xff) // behind all versions of the key
		if afterID != "" {
			seen = p.after
			if from, err = s.afterVersion(r, b, p.after, afterID); err != nil {
				return l, err
			}
		}
	}
	if err := h.others.seek(from); err != nil {
		return l, err
	}
	owner := ownerOf(b.Account)
	for c := h.at(); c != nil; c = h.at() {
		if l.count() == p.max {
			l.truncated = true
			break
		}
		if g := p.group(c.key); g != "" {
			l.prefixes, l.last, l.lastID = append(l.prefixes, api.CommonPrefix{Prefix: p.tell(g)}), g, ""
			if err := h.skip(g); err != nil {
				return l, err
			}
			continue
		}
		v, err := decodeVersion(c.kv.Value)
		if err != nil {
			return l, err
		}
		l.add(p, c.key, v, c.key != seen, owner)
		seen, l.last, l.lastID = c.key, c.key, v.ID
		if err := c.step(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// add adds a version, or a delete marker.
func (l *listedVersions) add(p *page, key string, v *version, latest bool, owner *api.Owner) {
	if v.Marker {
		l.markers = append(l.markers, api.DeleteMarkerEntry{Owner: owner, Key: p.tell(key), VersionId: &v.ID, IsLatest: &latest, LastModified: &v.Modified})
		return
	}
	o := v.listed(p.tell(key), owner)
	l.versions = append(l.versions, api.ObjectVersion{Key: o.Key, VersionId: &v.ID, IsLatest: &latest, LastModified: o.LastModified, ETag: o.ETag,
		Size: o.Size, StorageClass: o.StorageClass, Owner: owner, ChecksumAlgorithm: o.ChecksumAlgorithm, ChecksumType: o.ChecksumType})
}

// afterVersion is where the versions of a key go on after one, which may be gone by now.
func (s *Service) afterVersion(r store.Reader, b *bucket, key, id string) ([]byte, error) {
	v, isCurrent, err := s.lookup(r, b, key, id)
	if err != nil {
		return nil, err
	}
	if isCurrent {
		return store.Key("s3", "version", b.ID, key), nil
	}
	order, ok := orderOf(id)
	if v != nil {
		order = v.Order
	} else if !ok {
		return store.Key("s3", "version", b.ID, key), nil
	}
	return append(versionKey(b.ID, key, order), 0), nil
}

// ListObjectVersions lists the versions of a bucket's objects.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (s *Service) ListObjectVersions(ctx context.Context, in *api.ListObjectVersionsRequest) (*api.ListObjectVersionsOutput, error) {
	p, err := newPage(in.Prefix, in.Delimiter, in.EncodingType, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	p.after = awsapi.Val(in.KeyMarker)
	if in.VersionIdMarker != nil && *in.VersionIdMarker != "" && p.after == "" {
		return nil, invalidArgument.New("A version-id marker cannot be specified without a key marker.").
			With("ArgumentName", "version-id-marker").With("ArgumentValue", *in.VersionIdMarker)
	}
	var l listedVersions
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListBucketVersions", "")
		if err != nil {
			return err
		}
		l, err = s.versions(r, b, &p, awsapi.Val(in.VersionIdMarker))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListObjectVersionsOutput{Name: in.Bucket, Prefix: p.tell(p.prefix), Delimiter: p.tellSome(p.delimiter), MaxKeys: new(int32(p.max)),
		EncodingType: p.encodingType(), KeyMarker: p.tell(p.after), VersionIdMarker: new(awsapi.Val(in.VersionIdMarker)),
		Versions: l.versions, DeleteMarkers: l.markers, CommonPrefixes: l.prefixes, IsTruncated: &l.truncated}
	if l.truncated {
		out.NextKeyMarker = p.tell(l.last)
		out.NextVersionIdMarker = optional(l.lastID)
	}
	return out, nil
}
