package dynamodb

import (
	"context"
	"crypto/sha256"
	"errors"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// importation is a table that is being made of a bucket's objects.
type importation struct {
	ID     string // as in its ARN
	Table  table.Ref
	API    api.ImportTableDescription
	By     awsapi.Principal // who asked for it, and reads the objects
	Digest [sha256.Size]byte
}

func importKey(ref table.Ref, id string) []byte {
	return store.Key("dynamodb", "import", ref.Account, ref.Region, ref.Name, id)
}

// ImportTable makes a table, and begins to fill it from the objects of a bucket. It is CREATING until all are read.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTable.html
func (s *Service) ImportTable(ctx context.Context, in *api.ImportTableInput) (*api.ImportTableOutput, error) {
	if *in.InputFormat == api.InputFormatIon {
		return nil, awsapi.NotImplemented.New("Cirro does not implement dynamodb.ImportTable with InputFormat ION")
	}
	if err := checkFormat(in); err != nil {
		return nil, err
	}
	p := in.TableCreationParameters
	if len(p.VectorIndexes) > 0 {
		return nil, awsapi.Unimplemented("dynamodb", "the import into tables with vector indexes")
	}
	made := &api.CreateTableInput{TableName: p.TableName, AttributeDefinitions: p.AttributeDefinitions, KeySchema: p.KeySchema, BillingMode: p.BillingMode,
		ProvisionedThroughput: p.ProvisionedThroughput, OnDemandThroughput: p.OnDemandThroughput, SSESpecification: p.SSESpecification,
		GlobalSecondaryIndexes: p.GlobalSecondaryIndexes}
	ref, err := refOf(ctx, p.TableName)
	if err != nil {
		return nil, err
	}
	if err := checkNewName(ref.Name); err != nil {
		return nil, err
	}
	if err := checkCreate(made); err != nil {
		return nil, err
	}
	digest, err := digestOf(in)
	if err != nil {
		return nil, err
	}
	q := awsapi.RequestOf(ctx)
	i := &importation{Table: ref, By: q.Principal, Digest: digest}
	known := ""
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, was *table.Record) (*table.Record, error) {
		if known, err = knownJob(tx, "import", q, in.ClientToken, digest, s.Clock()); err != nil || known != "" {
			return was, err
		}
		if was != nil {
			return nil, api.ResourceInUseException.New("Table already exists: %s", ref.Name)
		}
		r := s.newRecord(ref, made)
		now := s.Clock().UTC()
		i.ID = newJobID(now)
		r.Source = &table.Source{Import: i.ID}
		r.API.TableStatus = new(api.TableStatusCreating)
		i.API = api.ImportTableDescription{ImportArn: new(*r.API.TableArn + "/import/" + i.ID), ImportStatus: new(api.ImportStatusInProgress),
			TableArn: r.API.TableArn, TableId: r.API.TableId, ClientToken: in.ClientToken, S3BucketSource: in.S3BucketSource, InputFormat: in.InputFormat,
			InputFormatOptions: in.InputFormatOptions, InputCompressionType: in.InputCompressionType, TableCreationParameters: p, StartTime: &now,
			ErrorCount: new(int64(0)), ProcessedSizeBytes: new(int64(0)), ProcessedItemCount: new(int64(0)), ImportedItemCount: new(int64(0))}
		if i.API.InputCompressionType == nil {
			i.API.InputCompressionType = new(api.InputCompressionTypeNone)
		}
		err := errors.Join(store.SetRecord(tx, importKey(ref, i.ID), i), tx.Set(workKey(ref), nil))
		return r, errors.Join(err, rememberJob(tx, "import", q, in.ClientToken, jobToken{*i.API.ImportArn, digest, now.Add(jobTokenLife)}))
	})
	if err != nil {
		return nil, err
	}
	if known != "" {
		out, err := s.DescribeImport(ctx, &api.DescribeImportInput{ImportArn: &known})
		if err != nil {
			return nil, err
		}
		return &api.ImportTableOutput{ImportTableDescription: out.ImportTableDescription}, nil
	}
	s.workers.begin(ref, s.work)
	return &api.ImportTableOutput{ImportTableDescription: &i.API}, nil
}

// checkFormat checks how the objects are said to be written.
func checkFormat(in *api.ImportTableInput) error {
	o := in.InputFormatOptions
	if o == nil || o.Csv == nil {
		return nil
	}
	if *in.InputFormat != api.InputFormatCsv {
		return invalid("InputFormatOptions for CSV can only be specified with the InputFormat CSV")
	}
	if d := o.Csv.Delimiter; d != nil && utf8.RuneCountInString(*d) != 1 {
		return invalid("The delimiter must be one character")
	}
	return nil
}

// DescribeImport describes an import.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeImport.html
func (s *Service) DescribeImport(ctx context.Context, in *api.DescribeImportInput) (*api.DescribeImportOutput, error) {
	missing := api.ImportNotFoundException.New("Import not found: %s", *in.ImportArn)
	ref, id, ok := parseJobARN("import", *in.ImportArn)
	if q := awsapi.RequestOf(ctx); !ok || ref.Account != q.Account() || ref.Region != q.Region {
		return nil, missing
	}
	i, found, err := s.importOf(ctx, ref, id)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, missing
	}
	return &api.DescribeImportOutput{ImportTableDescription: &i.API}, nil
}

func (s *Service) importOf(ctx context.Context, ref table.Ref, id string) (i importation, found bool, err error) {
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		i, found, err = store.GetRecord[importation](r, importKey(ref, id))
		return err
	})
	return i, found, err
}

// ListImports lists imports, of one table or of all.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListImports.html
func (s *Service) ListImports(ctx context.Context, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	out := &api.ListImportsOutput{ImportSummaryList: []api.ImportSummary{}}
	next, err := jobs(ctx, s, "import", in.TableArn, in.PageSize, in.NextToken, func(i *importation) string {
		d := &i.API
		out.ImportSummaryList = append(out.ImportSummaryList, api.ImportSummary{ImportArn: d.ImportArn, ImportStatus: d.ImportStatus, TableArn: d.TableArn,
			S3BucketSource: d.S3BucketSource, InputFormat: d.InputFormat, StartTime: d.StartTime, EndTime: d.EndTime})
		return *d.ImportArn
	})
	out.NextToken = next
	return out, err
}
