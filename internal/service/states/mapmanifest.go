package states

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"cirro/internal/service/states/engine"
)

// athena are the items of the files that the manifest of an Athena query lists, one in a line: s3://bucket/key.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html#itemsource-example-athena-manifest-data
func (r *mapReader) athena(ctx context.Context, f file) (engine.Items, error) {
	if r.config.InputType == "" || r.config.InputType == "MANIFEST" {
		return nil, engine.ReaderFailed("InputType must be CSV, JSONL or PARQUET where ManifestType is ATHENA_DATA")
	}
	body, err := r.unpacked(ctx, f)
	if err != nil {
		return nil, err
	}
	list := newDelimited(body, "")
	m := &manifest{flattened{mapReader: r}, body}
	m.files = func(context.Context) (file, bool, error) {
		record, err := list.record()
		if errors.Is(err, io.EOF) {
			return file{}, false, nil
		}
		if err != nil {
			return file{}, false, err
		}
		bucket, key, ok := strings.Cut(strings.TrimPrefix(record[0], "s3://"), "/")
		if !ok || !strings.HasPrefix(record[0], "s3://") {
			return file{}, false, engine.ReaderFailed("The manifest names %q, which is no object", record[0])
		}
		return file{bucket: bucket, key: key}, true, nil
	}
	return m, nil
}

// manifest are the items of the files that a list names.
type manifest struct {
	flattened
	list io.Closer
}

func (m *manifest) Close() error { return errors.Join(m.flattened.Close(), m.list.Close()) }

// inventory are the rows of the files that an S3 inventory's manifest lists.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
func (r *mapReader) inventory(ctx context.Context, f file) (engine.Items, error) {
	body, err := r.object(ctx, f, "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	var m struct {
		FileFormat, FileSchema, DestinationBucket string
		Files                                     []struct{ Key string }
	}
	if err := json.NewDecoder(io.LimitReader(body, maxLine)).Decode(&m); err != nil {
		return nil, notJSON(err)
	}
	if m.FileFormat != "CSV" {
		return nil, engine.ReaderFailed("The output format of an S3 inventory must be CSV, not %q", m.FileFormat)
	}
	config := *r.config
	config.InputType, config.CSVHeaderLocation, config.CSVHeaders = "CSV", "GIVEN", nil
	for name := range strings.SplitSeq(m.FileSchema, ",") {
		config.CSVHeaders = append(config.CSVHeaders, strings.TrimSpace(name))
	}
	of := *r
	of.config = &config
	return &flattened{mapReader: &of, files: func(context.Context) (file, bool, error) {
		if len(m.Files) == 0 {
			return file{}, false, nil
		}
		next := file{bucket: strings.TrimPrefix(m.DestinationBucket, "arn:aws:s3:::"), key: m.Files[0].Key}
		m.Files = m.Files[1:]
		return next, true, nil
	}}, nil
}
