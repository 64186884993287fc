package dynamodb

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/courier"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// An export's objects, below the prefix that it was asked for with.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
const (
	exportFolder  = "AWSDynamoDB"
	exportVersion = "2020-06-30" // of a full export's manifest
	changeVersion = "2023-08-01" // of an incremental one's
	exportFile    = 64 << 20     // how much one data file holds, before it is compressed
)

// exportTable writes one export, in one go from one snapshot: after a restart, again.
func (s *Service) exportTable(ctx context.Context, r *table.Record, id string) error {
	e, found, err := s.exportOf(ctx, r.Ref, id)
	if err != nil {
		return err
	}
	if found && *e.API.ExportStatus == api.ExportStatusInProgress {
		w := &exporter{s: s, ctx: s.onBehalf(ctx, e.By, r.Ref), export: &e}
		err := w.run(r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && courier.Passing(err) {
			return err
		}
		e.API.EndTime, e.API.ExportStatus = new(s.Clock().UTC()), new(api.ExportStatusCompleted)
		if err != nil {
			e.API.ExportStatus = new(api.ExportStatusFailed)
			e.API.FailureCode, e.API.FailureMessage = failureOf(err)
		}
	}
	return s.catalog.Change(ctx, r.Ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if found {
			if err := store.SetRecord(tx, exportKey(e.Table, id), e); err != nil {
				return nil, err
			}
		}
		if r != nil {
			r.Exports = without(r.Exports, id)
		}
		return r, nil
	})
}

func without(ids []string, id string) []string {
	var out []string
	for _, one := range ids {
		if one != id {
			out = append(out, one)
		}
	}
	return out
}

// failureOf is how a job tells of what S3 refused.
func failureOf(err error) (code, message *string) {
	var known *awsapi.Error
	if !errors.As(err, &known) {
		return new("InternalServerError"), new("An internal error occurred")
	}
	return new("S3" + known.Type.Code), new(fmt.Sprintf("%s (Service: Amazon S3; Status Code: %d; Error Code: %s)", known.Message, known.Type.Status, known.Type.Code))
}

// onBehalf is the context of a job's calls of S3.
func (s *Service) onBehalf(ctx context.Context, by awsapi.Principal, ref table.Ref) context.Context {
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: ref.Region, Principal: by, Time: s.Clock()})
}

// exporter writes the objects of one export.
type exporter struct {
	s      *Service
	ctx    context.Context
	export *export
	files  bytes.Buffer // the manifest of files
	items  int64
	size   int64
}

func (w *exporter) run(r *table.Record) error {
	t, err := table.New(r)
	if err != nil {
		return err
	}
	folder := w.folder() + w.export.ID + "/"
	if _, err := w.put(folder+"_started", nil); err != nil {
		return err
	}
	data := folder + "data/"
	if w.export.API.IncrementalExportSpecification != nil {
		data = w.folder() + "data/"
	}
	file := &dataFile{exporter: w, folder: data}
	err = w.s.Store.View(w.ctx, func(reader store.Reader) error { return w.each(reader, t, file.add) })
	if err = errors.Join(err, file.end(err)); err != nil {
		return err
	}
	if w.items == 0 { // an empty table has a file, too
		file.began = false
		if err := errors.Join(file.begin(), file.end(nil)); err != nil {
			return err
		}
	}
	return w.manifests(folder)
}

func (w *exporter) folder() string {
	prefix := strings.TrimSuffix(awsapi.Val(w.export.API.S3Prefix), "/")
	if prefix != "" {
		prefix += "/"
	}
	return prefix + exportFolder + "/"
}

// each calls f with each line of the data, and counts.
func (w *exporter) each(r store.Reader, t *table.Table, f func(line []byte) error) error {
	var line []byte
	spec := w.export.API.IncrementalExportSpecification
	if spec == nil {
		return t.EachAt(r, *w.export.API.ExportTime, func(e table.Entry) (err error) {
			line = append(line[:0], `{"Item":`...)
			if line, err = appendItem(line, e.Item); err != nil {
				return err
			}
			w.size += int64(e.Item.Size())
			return f(append(line, "}\n"...))
		})
	}
	return t.EachChange(r, *spec.ExportFromTime, *spec.ExportToTime, func(c table.Change) (err error) {
		if c.Old == nil && c.New == nil {
			return nil
		}
		line = fmt.Appendf(line[:0], `{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":`, c.Last.UnixMicro())
		some := c.New
		if some == nil {
			some = c.Old
		}
		keys := item.Item{}
		for _, k := range t.API.KeySchema {
			keys[*k.AttributeName] = some[*k.AttributeName]
		}
		if line, err = appendItem(line, keys); err != nil {
			return err
		}
		for _, image := range []struct {
			name string
			item item.Item
			told bool
		}{{"OldImage", c.Old, *spec.ExportViewType == api.ExportViewTypeNewAndOldImages}, {"NewImage", c.New, true}} {
			if !image.told || image.item == nil {
				continue
			}
			line = append(append(append(line, `,"`...), image.name...), `":`...)
			if line, err = appendItem(line, image.item); err != nil {
				return err
			}
			w.size += int64(image.item.Size())
		}
		return f(append(line, "}\n"...))
	})
}

func appendItem(dst []byte, it item.Item) ([]byte, error) {
	dst, _, err := item.AppendJSON(dst, it.Append(nil))
	return dst, err
}

// put writes an object and returns its ETag.
func (w *exporter) put(key string, body io.Reader) (string, error) {
	d := &w.export.API
	in := &s3api.PutObjectRequest{Bucket: d.S3Bucket, Key: &key, Body: body, ExpectedBucketOwner: d.S3BucketOwner,
		ServerSideEncryption: new(api.S3SseAlgorithmAes256)}
	if *d.S3SseAlgorithm == api.S3SseAlgorithmKms {
		in.ServerSideEncryption, in.SSEKMSKeyId = new(s3api.ServerSideEncryptionAwsKms), d.S3SseKmsKeyId
	}
	out, err := w.s.call(w.ctx, w.export.By, "PutObject", in)
	if err != nil {
		return "", err
	}
	return strings.Trim(awsapi.Val(out.(*s3api.PutObjectOutput).ETag), `"`), nil
}

// call calls S3.
func (s *Service) call(ctx context.Context, by awsapi.Principal, operation string, in any) (any, error) {
	if s.Caller == nil {
		return nil, awsapi.Unimplemented("s3", operation)
	}
	return s.Caller.Call(ctx, by, "s3", operation, in)
}

// manifests writes the two of them, with their checksums.
func (w *exporter) manifests(folder string) error {
	d := &w.export.API
	ended := w.s.Clock().UTC()
	const milli = "2006-01-02T15:04:05.000Z"
	files := folder + "manifest-files.json"
	summary := struct {
		Version            string  `json:"version"`
		ExportArn          string  `json:"exportArn"`
		StartTime          string  `json:"startTime"`
		EndTime            string  `json:"endTime"`
		TableArn           string  `json:"tableArn"`
		TableID            string  `json:"tableId"`
		ExportTime         string  `json:"exportTime,omitempty"`
		ExportFromTime     string  `json:"exportFromTime,omitempty"`
		ExportToTime       string  `json:"exportToTime,omitempty"`
		S3Bucket           string  `json:"s3Bucket"`
		S3Prefix           *string `json:"s3Prefix"`
		S3SseAlgorithm     string  `json:"s3SseAlgorithm"`
		S3SseKmsKeyID      *string `json:"s3SseKmsKeyId"`
		ManifestFilesS3Key string  `json:"manifestFilesS3Key"`
		BilledSizeBytes    int64   `json:"billedSizeBytes"`
		ItemCount          int64   `json:"itemCount"`
		OutputFormat       string  `json:"outputFormat"`
		OutputView         string  `json:"outputView,omitempty"`
		ExportType         string  `json:"exportType"`
	}{Version: exportVersion, ExportArn: *d.ExportArn, StartTime: d.StartTime.Format(milli), EndTime: ended.Format(milli), TableArn: *d.TableArn,
		TableID: *d.TableId, S3Bucket: *d.S3Bucket, S3Prefix: d.S3Prefix, S3SseAlgorithm: *d.S3SseAlgorithm, S3SseKmsKeyID: d.S3SseKmsKeyId,
		ManifestFilesS3Key: files, BilledSizeBytes: w.size, ItemCount: w.items, OutputFormat: *d.ExportFormat, ExportType: *d.ExportType}
	if spec := d.IncrementalExportSpecification; spec != nil {
		summary.Version, summary.OutputView = changeVersion, *spec.ExportViewType
		summary.ExportFromTime, summary.ExportToTime = spec.ExportFromTime.UTC().Format(milli), spec.ExportToTime.UTC().Format(milli)
	} else {
		summary.ExportTime = d.ExportTime.UTC().Format(milli)
	}
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	d.ExportManifest = new(folder + "manifest-summary.json")
	d.BilledSizeBytes, d.ItemCount = &w.size, &w.items
	for _, m := range []struct {
		key  string
		body []byte
	}{{files, w.files.Bytes()}, {*d.ExportManifest, text}} {
		sum := md5.Sum(m.body)
		if _, err := w.put(m.key, bytes.NewReader(m.body)); err != nil {
			return err
		}
		checksum := base64.StdEncoding.EncodeToString(sum[:])
		if _, err := w.put(strings.TrimSuffix(m.key, "json")+"checksum", strings.NewReader(checksum)); err != nil {
			return err
		}
	}
	return nil
}

// dataFile is the data file that is being written: it goes to S3 while its lines are made, and never lies in memory as a
// whole.
type dataFile struct {
	*exporter
	folder string
	began  bool

	key   string
	zip   *gzip.Writer
	pipe  *io.PipeWriter
	lines int64
	bytes int64
	sent  chan sentFile
}

// sentFile is what became of a data file.
type sentFile struct {
	etag string
	sum  []byte
	err  error
}

func (f *dataFile) begin() error {
	f.began, f.lines, f.bytes = true, 0, 0
	f.key = f.folder + strings.ReplaceAll(uuid.NewString(), "-", "")[:26] + ".json.gz"
	r, w := io.Pipe()
	f.pipe, f.zip, f.sent = w, gzip.NewWriter(w), make(chan sentFile, 1)
	go func() {
		sum := md5.New()
		etag, err := f.put(f.key, io.TeeReader(r, sum))
		_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // so that the writer does not wait for good
		f.sent <- sentFile{etag, sum.Sum(nil), err}
	}()
	return nil
}

func (f *dataFile) add(line []byte) error {
	if f.began && f.bytes >= exportFile {
		if err := f.end(nil); err != nil {
			return err
		}
	}
	if !f.began {
		if err := f.begin(); err != nil {
			return err
		}
	}
	f.lines, f.bytes = f.lines+1, f.bytes+int64(len(line))
	f.items++
	_, err := f.zip.Write(line)
	return err
}

// end ends the file, or gives it up where failed is an error.
func (f *dataFile) end(failed error) error {
	if !f.began {
		return nil
	}
	f.began = false
	if failed == nil {
		failed = f.zip.Close()
	}
	_ = f.pipe.CloseWithError(failed) // an io.EOF where it is nil
	sent := <-f.sent
	if sent.err != nil || failed != nil {
		return sent.err
	}
	line, err := json.Marshal(struct {
		ItemCount     int64  `json:"itemCount"`
		MD5Checksum   string `json:"md5Checksum"`
		ETag          string `json:"etag"`
		DataFileS3Key string `json:"dataFileS3Key"`
	}{f.lines, base64.StdEncoding.EncodeToString(sent.sum), sent.etag, f.key})
	f.files.Write(append(line, '\n'))
	return err
}
