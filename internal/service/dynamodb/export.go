package dynamodb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// export is a table's items, or what changed of them, on the way to a bucket.
type export struct {
	ID     string // as in its ARN
	Table  table.Ref
	API    api.ExportDescription
	By     awsapi.Principal // who asked for it, and writes the objects
	Digest [sha256.Size]byte
}

func exportKey(ref table.Ref, id string) []byte {
	return store.Key("dynamodb", "export", ref.Account, ref.Region, ref.Name, id)
}

// jobTokenKey remembers which export or import a client's token stands for.
func jobTokenKey(kind string, r *awsapi.Request, token string) []byte {
	return store.Key("dynamodb", kind+"token", r.Account(), r.Region, token)
}

// jobToken is what is remembered. AWS forgets it after eight hours.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
type jobToken struct {
	ARN    string
	Digest [sha256.Size]byte
	Until  time.Time
}

const jobTokenLife = 8 * time.Hour

// newJobID makes the id of an export or an import as AWS's are: the time and something random.
func newJobID(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	return fmt.Sprintf("%014d-%x", now.UnixMilli(), random)
}

// parseJobARN finds the table and the id that the ARN of an export or an import names.
func parseJobARN(kind, arn string) (ref table.Ref, id string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" {
		return ref, "", false
	}
	path := strings.Split(parts[5], "/")
	if len(path) != 4 || path[0] != "table" || path[2] != kind {
		return ref, "", false
	}
	return table.Ref{Region: parts[3], Account: parts[4], Name: path[1]}, path[3], true
}

// digestOf is what tells a request from others with the same token.
func digestOf(in any) ([sha256.Size]byte, error) {
	b, err := json.Marshal(in)
	return sha256.Sum256(b), err
}

// maxIncrement is the longest period of an incremental export. AWS wants one of 15 minutes at least; here it may be
// shorter.
const maxIncrement = 24 * time.Hour

// ExportTableToPointInTime begins to write a table's items, as they were at a time, to a bucket; or what changed within a
// period. The table needs point-in-time recovery.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
func (s *Service) ExportTableToPointInTime(ctx context.Context, in *api.ExportTableToPointInTimeInput) (*api.ExportTableToPointInTimeOutput, error) {
	switch {
	case awsapi.Val(in.ExportFormat) == api.ExportFormatIon:
		return nil, awsapi.NotImplemented.New("Cirro does not implement dynamodb.ExportTableToPointInTime with ExportFormat ION")
	case in.FilterSpecification != nil:
		return nil, awsapi.NotImplemented.New("Cirro does not implement dynamodb.ExportTableToPointInTime with FilterSpecification")
	}
	ref, err := refOf(ctx, in.TableArn)
	if err != nil {
		return nil, err
	}
	digest, err := digestOf(in)
	if err != nil {
		return nil, err
	}
	q := awsapi.RequestOf(ctx)
	e := &export{Table: ref, By: q.Principal, Digest: digest}
	known := ""
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, api.TableNotFoundException.New("Table not found: %s", awsapi.Val(in.TableArn))
		}
		if known, err = knownJob(tx, "export", q, in.ClientToken, digest, s.Clock()); err != nil || known != "" {
			return r, err
		}
		if err := s.describeExport(e, in, r); err != nil {
			return nil, err
		}
		r.Exports = append(slices.Clone(r.Exports), e.ID)
		err := errors.Join(store.SetRecord(tx, exportKey(ref, e.ID), e), tx.Set(workKey(ref), nil))
		return r, errors.Join(err, rememberJob(tx, "export", q, in.ClientToken, jobToken{*e.API.ExportArn, digest, s.Clock().Add(jobTokenLife)}))
	})
	if err != nil {
		return nil, err
	}
	if known != "" {
		out, err := s.DescribeExport(ctx, &api.DescribeExportInput{ExportArn: &known})
		if err != nil {
			return nil, err
		}
		return &api.ExportTableToPointInTimeOutput{ExportDescription: out.ExportDescription}, nil
	}
	s.workers.begin(ref, s.work)
	return &api.ExportTableToPointInTimeOutput{ExportDescription: &e.API}, nil
}

// knownJob is the ARN of the job that a token stands for already, "" for none.
func knownJob(r store.Reader, kind string, q *awsapi.Request, token *string, digest [sha256.Size]byte, now time.Time) (string, error) {
	if awsapi.Val(token) == "" {
		return "", nil
	}
	t, found, err := store.GetRecord[jobToken](r, jobTokenKey(kind, q, *token))
	if err != nil || !found || now.After(t.Until) {
		return "", err
	}
	if t.Digest != digest {
		conflict := api.ExportConflictException
		if kind == "import" {
			conflict = api.ImportConflictException
		}
		return "", conflict.New("The specified client token was used for another %s with other parameters: %s", kind, *token)
	}
	return t.ARN, nil
}

func rememberJob(tx store.Tx, kind string, q *awsapi.Request, token *string, t jobToken) error {
	if awsapi.Val(token) == "" {
		return nil
	}
	return store.SetRecord(tx, jobTokenKey(kind, q, *token), t)
}

// describeExport checks what is asked for, and makes the export's description of it.
func (s *Service) describeExport(e *export, in *api.ExportTableToPointInTimeInput, r *table.Record) error {
	if r.Recovery == nil {
		return api.PointInTimeRecoveryUnavailableException.New("Point in time recovery is not enabled for table '%s'", r.Name)
	}
	now := s.Clock().UTC()
	e.ID = newJobID(now)
	d := &e.API
	*d = api.ExportDescription{ExportArn: new(*r.API.TableArn + "/export/" + e.ID), ExportStatus: new(api.ExportStatusInProgress), StartTime: &now,
		TableArn: r.API.TableArn, TableId: r.API.TableId, ClientToken: in.ClientToken, S3Bucket: in.S3Bucket, S3BucketOwner: in.S3BucketOwner,
		S3Prefix: in.S3Prefix, S3SseAlgorithm: in.S3SseAlgorithm, S3SseKmsKeyId: in.S3SseKmsKeyId, ExportFormat: new(api.ExportFormatDynamodbJson),
		ExportType: in.ExportType}
	if d.S3SseAlgorithm == nil {
		d.S3SseAlgorithm = new(api.S3SseAlgorithmAes256)
	}
	if d.ExportType == nil {
		d.ExportType = new(api.ExportTypeFullExport)
	}
	// Clients cut times to seconds, so the second in which recovery began counts.
	earliest := r.Recovery.Earliest(now).Truncate(time.Second)
	outside := func(t time.Time) bool { return t.Before(earliest) || t.After(now) }
	if *d.ExportType == api.ExportTypeFullExport {
		if in.IncrementalExportSpecification != nil {
			return invalid("IncrementalExportSpecification can only be specified for an export of type INCREMENTAL_EXPORT")
		}
		if d.ExportTime = in.ExportTime; d.ExportTime == nil {
			d.ExportTime = &now
		}
		if outside(*d.ExportTime) {
			return api.InvalidExportTimeException.New("The specified export time is outside of the point in time recovery window.")
		}
		return nil
	}
	spec := in.IncrementalExportSpecification
	switch {
	case in.ExportTime != nil:
		return invalid("ExportTime can only be specified for an export of type FULL_EXPORT")
	case spec == nil || spec.ExportFromTime == nil:
		return invalid("IncrementalExportSpecification with an ExportFromTime must be specified for an export of type INCREMENTAL_EXPORT")
	}
	period := *spec
	if period.ExportToTime == nil {
		period.ExportToTime = &now
	}
	if period.ExportViewType == nil {
		period.ExportViewType = new(api.ExportViewTypeNewAndOldImages)
	}
	switch from, to := *period.ExportFromTime, *period.ExportToTime; {
	case !from.Before(to):
		return invalid("ExportFromTime must be before ExportToTime")
	case to.Sub(from) > maxIncrement:
		return invalid("The period of an incremental export must not be longer than 24 hours")
	case outside(from) || outside(to):
		return api.InvalidExportTimeException.New("The specified export period is outside of the point in time recovery window.")
	}
	d.IncrementalExportSpecification = &period
	return nil
}

// DescribeExport describes an export.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeExport.html
func (s *Service) DescribeExport(ctx context.Context, in *api.DescribeExportInput) (*api.DescribeExportOutput, error) {
	missing := api.ExportNotFoundException.New("Export not found: %s", *in.ExportArn)
	ref, id, ok := parseJobARN("export", *in.ExportArn)
	if q := awsapi.RequestOf(ctx); !ok || ref.Account != q.Account() || ref.Region != q.Region {
		return nil, missing
	}
	e, found, err := s.exportOf(ctx, ref, id)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, missing
	}
	return &api.DescribeExportOutput{ExportDescription: &e.API}, nil
}

func (s *Service) exportOf(ctx context.Context, ref table.Ref, id string) (e export, found bool, err error) {
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		e, found, err = store.GetRecord[export](r, exportKey(ref, id))
		return err
	})
	return e, found, err
}

// maxJobs is how many exports or imports one page has at most.
const maxJobs = 25

// ListExports lists exports, of one table or of all.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListExports.html
func (s *Service) ListExports(ctx context.Context, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	out := &api.ListExportsOutput{ExportSummaries: []api.ExportSummary{}}
	next, err := jobs(ctx, s, "export", in.TableArn, in.MaxResults, in.NextToken, func(e *export) string {
		out.ExportSummaries = append(out.ExportSummaries, api.ExportSummary{ExportArn: e.API.ExportArn, ExportStatus: e.API.ExportStatus, ExportType: e.API.ExportType})
		return *e.API.ExportArn
	})
	out.NextToken = next
	return out, err
}

// jobs pages through exports or imports; the token of the next page is the ARN of the last on this one.
func jobs[T any](ctx context.Context, s *Service, kind string, tableARN *string, limit *int32, token *string, tell func(*T) string) (*string, error) {
	q := awsapi.RequestOf(ctx)
	over := store.Prefix("dynamodb", kind, q.Account(), q.Region)
	if tableARN != nil {
		ref, err := refOf(ctx, tableARN)
		if err != nil {
			return nil, err
		}
		over = store.Prefix("dynamodb", kind, ref.Account, ref.Region, ref.Name)
	}
	if token != nil {
		ref, id, ok := parseJobARN(kind, *token)
		if !ok {
			return nil, invalid("Invalid NextToken: %s", *token)
		}
		over = over.After(store.Key("dynamodb", kind, ref.Account, ref.Region, ref.Name, id))
	}
	n := maxJobs
	if limit != nil {
		n = min(n, int(*limit))
	}
	var next *string
	err := s.Store.View(ctx, func(r store.Reader) error {
		page, last, err := store.Page[T](r, over, n, nil)
		for i := range page {
			arn := tell(&page[i])
			if last != nil {
				next = &arn
			}
		}
		return err
	})
	return next, err
}
