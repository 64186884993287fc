package states

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// resultFile bounds a file of results, in bytes: what is more goes into the next.
const resultFile = 8 << 20

// results writes the results of a map run to a bucket.
type results struct {
	service *Service
	run     *engine.MapRun
	bucket  string
	folder  string
	files   map[string][]*document.Object // in the manifest, by how the children ended
	written int64

	transformation string // NONE, COMPACT or FLATTEN
	lines          bool   // JSON Lines, not JSON
}

// writeResults writes the results of a map run where its writer says: files by how children ended, and a manifest. A
// writer that names no place says what the state itself gives.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
func (s *Service) writeResults(ctx context.Context, m *engine.MapRun, state *asl.State) (string, int64, error) {
	w := &results{service: s, run: m, transformation: state.Writer.Transformation, lines: state.Writer.OutputType == "JSONL"}
	if m.Writer.Resource == "" {
		out, err := w.output(ctx)
		return out, 0, err
	}
	if w.transformation == "" {
		w.transformation = "NONE"
	}
	var at struct{ Bucket, Prefix string }
	if err := json.Unmarshal([]byte(m.Writer.Parameters), &at); err != nil || at.Bucket == "" {
		return "", 0, engine.WriterFailed("The parameters of the ResultWriter name no bucket")
	}
	if m.Writer.Resource != "arn:aws:states:::s3:putObject" {
		return "", 0, engine.WriterFailed("Cirro does not implement the ResultWriter %s", m.Writer.Resource)
	}
	folder := m.ID + "/"
	if at.Prefix != "" {
		folder = strings.TrimSuffix(at.Prefix, "/") + "/" + folder
	}
	w.bucket, w.folder, w.files = at.Bucket, folder, map[string][]*document.Object{"SUCCEEDED": {}, "FAILED": {}, "PENDING": {}}
	for _, kind := range []string{"SUCCEEDED", "FAILED"} {
		if err := w.write(ctx, kind); err != nil {
			return "", 0, err
		}
	}
	if err := w.manifest(ctx); err != nil {
		return "", 0, err
	}
	out := document.NewObject("MapRunArn", m.ARN, "ResultWriterDetails", document.NewObject("Bucket", w.bucket, "Key", folder+"manifest.json"))
	return string(document.Encode(out)), w.written, nil
}

// write writes the children that ended in one way: a file at a time, so that memory holds one.
func (w *results) write(ctx context.Context, kind string) error {
	for from, more := int64(0), true; more; {
		more = false
		f := w.file()
		err := w.service.Store.View(ctx, func(r store.Reader) error {
			return engine.Children(r, w.run.ID, from, func(c *engine.Child) (bool, error) {
				from = c.Index + 1
				if (c.Run.Status == engine.Succeeded) != (kind == "SUCCEEDED") || !c.Ended {
					return true, nil
				}
				if err := f.add(c); err != nil {
					return false, err
				}
				w.written++
				more = f.body.Len() > resultFile
				return !more, nil
			})
		})
		if err != nil || f.children == 0 {
			return err
		}
		body, ending := f.end(), "json"
		if w.lines {
			ending = "jsonl"
		}
		key := fmt.Sprintf("%s%s_%d.%s", w.folder, kind, len(w.files[kind]), ending)
		if err := w.put(ctx, key, body); err != nil {
			return err
		}
		w.files[kind] = append(w.files[kind], document.NewObject("Key", key, "Size", int64(len(body))))
	}
	return nil
}

// output is what a state gives whose writer names no place. Of what is too much it gives more than there may be.
func (w *results) output(ctx context.Context) (string, error) {
	f := w.file()
	err := w.service.Store.View(ctx, func(r store.Reader) error {
		return engine.Children(r, w.run.ID, 0, func(c *engine.Child) (bool, error) {
			if c.Run.Status != engine.Succeeded && w.transformation != "NONE" {
				return true, nil
			}
			return f.body.Len() <= document.MaxSize, f.add(c)
		})
	})
	if err != nil {
		return "", err
	}
	body := f.end()
	if w.lines {
		body = document.Encode(string(body))
	}
	return string(body), nil
}

// resultList is a list of results as it is written.
type resultList struct {
	*results
	body     bytes.Buffer
	children int
}

func (w *results) file() *resultList { return &resultList{results: w} }

// add adds a child: what it gave, or, where it failed, and where all is wanted, all that is known of it.
func (l *resultList) add(c *engine.Child) error {
	l.children++
	if c.Run.Status != engine.Succeeded || l.transformation == "NONE" {
		l.write(document.Encode(l.child(c)))
		return nil
	}
	if l.transformation == "FLATTEN" {
		v, err := document.Decode([]byte(c.Output))
		if err != nil {
			return err
		}
		if items, ok := v.([]any); ok {
			for _, item := range items {
				l.write(document.Encode(item))
			}
			return nil
		}
	}
	l.write([]byte(c.Output))
	return nil
}

func (l *resultList) write(value []byte) {
	switch {
	case l.lines:
		defer l.body.WriteByte('\n')
	case l.body.Len() == 0:
		l.body.WriteByte('[')
	default:
		l.body.WriteByte(',')
	}
	l.body.Write(value)
}

func (l *resultList) end() []byte {
	if !l.lines {
		if l.body.Len() == 0 {
			l.body.WriteByte('[')
		}
		l.body.WriteByte(']')
	}
	return l.body.Bytes()
}

// child is a child as the files have it.
func (w *results) child(c *engine.Child) *document.Object {
	r := c.Run
	o := document.NewObject()
	if r.HasError {
		o.Set("Cause", r.Cause)
		o.Set("Error", r.Error)
	}
	o.Set("ExecutionArn", r.ARN)
	o.Set("Input", c.Input)
	o.Set("InputDetails", document.NewObject("Included", true))
	o.Set("Name", r.Name)
	if c.Output != "" {
		o.Set("Output", c.Output)
	}
	o.Set("OutputDetails", document.NewObject("Included", true))
	o.Set("RedriveCount", r.Redrives)
	status, reason := redriveStatus(r, w.service.Clock())
	o.Set("RedriveStatus", *status)
	if reason != nil {
		o.Set("RedriveStatusReason", *reason)
	}
	o.Set("StartDate", r.Started.UTC().Format("2006-01-02T15:04:05.000Z"))
	o.Set("StateMachineArn", r.Machine)
	o.Set("Status", r.Status)
	o.Set("StopDate", r.Stopped.UTC().Format("2006-01-02T15:04:05.000Z"))
	return o
}

func (w *results) manifest(ctx context.Context) error {
	files := document.NewObject()
	for _, kind := range []string{"FAILED", "PENDING", "SUCCEEDED"} {
		list := make([]any, len(w.files[kind]))
		for i, f := range w.files[kind] {
			list[i] = f
		}
		files.Set(kind, list)
	}
	return w.put(ctx, w.folder+"manifest.json", document.Encode(document.NewObject("DestinationBucket", w.bucket, "MapRunArn", w.run.ARN, "ResultFiles", files)))
}

func (w *results) put(ctx context.Context, key string, body []byte) error {
	ctx, p := w.service.onBehalf(ctx, &engine.Task{Role: w.run.Run.Role, Account: w.run.Run.Account, Region: w.run.Run.Region, Machine: w.run.Run.Machine})
	n := int64(len(body))
	_, err := w.service.Caller.Call(ctx, p, "s3", "PutObject", &s3api.PutObjectRequest{Bucket: &w.bucket, Key: &key, Body: bytes.NewReader(body),
		ContentLength: &n, ContentType: new("application/json")})
	var e *awsapi.Error
	if errors.As(err, &e) && !e.Type.Server {
		return engine.WriterFailed("%s (Service: S3, Status Code: %d)", e.Message, e.Type.Status)
	}
	return err
}
