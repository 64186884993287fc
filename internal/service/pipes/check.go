package pipes

import (
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/pipes"
	"cirro/internal/eventpattern"
	"cirro/internal/eventsource"
	"cirro/internal/target"
)

// maxBatch is how many records a batch may have for a kind of target, by its service; others take what they get.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
var maxBatch = map[string]int32{"sqs": 10, "sns": 10, "events": 10, "kinesis": 500, "logs": 10_000}

func invalid(format string, args ...any) error { return api.ValidationException.New(format, args...) }

func unsupported(format string, args ...any) error {
	return awsapi.NotImplemented.New("Cirro does not implement "+format, args...)
}

// check checks a pipe and fills in what AWS defaults.
func (p *pipe) check() error {
	if err := p.checkSource(); err != nil {
		return err
	}
	if err := p.checkFilters(); err != nil {
		return err
	}
	if err := p.checkEnrichment(); err != nil {
		return err
	}
	if err := p.checkTarget(); err != nil {
		return err
	}
	to, _ := target.ParseARN(p.Target)
	if most, ok := maxBatch[to.Service]; ok && p.batchSize() > most {
		return invalid("The batch size of the source must not exceed %d, which is what the target takes.", most)
	}
	return nil
}

// checkSource checks the source and its parameters.
func (p *pipe) checkSource() error {
	place, err := eventsource.Locate(p.Source)
	if err != nil {
		service := strings.Split(p.Source, ":")
		if strings.HasPrefix(p.Source, "smk://") || len(service) > 2 && slices.Contains([]string{"kafka", "mq"}, service[2]) {
			return unsupported("pipes from Kafka and from brokers")
		}
		return invalid("The source %s is not one that pipes have.", p.Source)
	}
	f := &p.From
	given := map[string]bool{"SqsQueueParameters": f.SqsQueueParameters != nil, "KinesisStreamParameters": f.KinesisStreamParameters != nil,
		"DynamoDBStreamParameters": f.DynamoDBStreamParameters != nil, "ActiveMQBrokerParameters": f.ActiveMQBrokerParameters != nil,
		"RabbitMQBrokerParameters": f.RabbitMQBrokerParameters != nil, "ManagedStreamingKafkaParameters": f.ManagedStreamingKafkaParameters != nil,
		"SelfManagedKafkaParameters": f.SelfManagedKafkaParameters != nil}
	wanted := map[eventsource.Kind]string{eventsource.SQS: "SqsQueueParameters", eventsource.Kinesis: "KinesisStreamParameters",
		eventsource.DynamoDB: "DynamoDBStreamParameters"}[place.Kind]
	for name, is := range given {
		if is && name != wanted {
			return invalid("%s are not parameters of the source %s.", name, p.Source)
		}
	}
	switch place.Kind {
	case eventsource.SQS:
		return p.checkQueue(place)
	case eventsource.Kinesis:
		return p.checkKinesis()
	default:
		return p.checkDynamoDB()
	}
}

func (p *pipe) checkQueue(place eventsource.Place) error {
	if p.From.SqsQueueParameters == nil {
		p.From.SqsQueueParameters = &api.PipeSourceSqsQueueParameters{}
	}
	q := p.From.SqsQueueParameters
	fill(&q.BatchSize, 10)
	if place.FIFO() && *q.BatchSize > 10 {
		return invalid("The batch size of a FIFO queue must not exceed 10.")
	}
	if *q.BatchSize > 10 && awsapi.Val(q.MaximumBatchingWindowInSeconds) == 0 {
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	}
	return nil
}

func (p *pipe) checkKinesis() error {
	k := p.From.KinesisStreamParameters
	if k == nil || k.StartingPosition == nil {
		return invalid("StartingPosition is required for the source %s.", p.Source)
	}
	if (*k.StartingPosition == api.KinesisStreamStartPositionAtTimestamp) != (k.StartingPositionTimestamp != nil) {
		return invalid("StartingPositionTimestamp goes with the StartingPosition AT_TIMESTAMP.")
	}
	fill(&k.BatchSize, p.defaultBatch())
	fill(&k.MaximumRecordAgeInSeconds, -1)
	fill(&k.MaximumRetryAttempts, -1)
	fill(&k.ParallelizationFactor, 1)
	return p.checkDeadLetters(k.DeadLetterConfig)
}

func (p *pipe) checkDynamoDB() error {
	d := p.From.DynamoDBStreamParameters
	if d == nil || d.StartingPosition == nil {
		return invalid("StartingPosition is required for the source %s.", p.Source)
	}
	fill(&d.BatchSize, p.defaultBatch())
	fill(&d.MaximumRecordAgeInSeconds, -1)
	fill(&d.MaximumRetryAttempts, -1)
	fill(&d.ParallelizationFactor, 1)
	return p.checkDeadLetters(d.DeadLetterConfig)
}

func fill(p **int32, value int32) {
	if *p == nil {
		*p = &value
	}
}

// defaultBatch is the batch size of a stream: 100, or what the target takes.
func (p *pipe) defaultBatch() int32 {
	to, _ := target.ParseARN(p.Target)
	if most, ok := maxBatch[to.Service]; ok {
		return min(100, most)
	}
	return 100
}

func (p *pipe) batchSize() int32 {
	switch f := &p.From; {
	case f.SqsQueueParameters != nil:
		return awsapi.Val(f.SqsQueueParameters.BatchSize)
	case f.KinesisStreamParameters != nil:
		return awsapi.Val(f.KinesisStreamParameters.BatchSize)
	case f.DynamoDBStreamParameters != nil:
		return awsapi.Val(f.DynamoDBStreamParameters.BatchSize)
	}
	return 1
}

// checkDeadLetters checks where the records of a stream go that are given up.
func (p *pipe) checkDeadLetters(c *api.DeadLetterConfig) error {
	arn := deadLetterARN(c)
	if arn == "" {
		return nil
	}
	to, ok := target.ParseARN(arn)
	if !ok || to.Service != "sqs" && to.Service != "sns" || strings.HasSuffix(to.Resource, ".fifo") {
		return invalid("The dead-letter target %s is neither a standard queue nor a standard topic.", arn)
	}
	return nil
}

func deadLetterARN(c *api.DeadLetterConfig) string {
	if c == nil {
		return ""
	}
	return awsapi.Val(c.Arn)
}

func (p *pipe) checkFilters() error {
	_, err := p.filters()
	return err
}

// filters compiles the pipe's filters.
func (p *pipe) filters() (filters []eventsource.Filter, err error) {
	if p.From.FilterCriteria == nil {
		return nil, nil
	}
	for _, f := range p.From.FilterCriteria.Filters {
		pattern, err := eventpattern.Compile([]byte(awsapi.Val(f.Pattern)))
		if err != nil {
			return nil, invalid("%s", err)
		}
		filters = append(filters, pattern)
	}
	return filters, nil
}

func (p *pipe) checkEnrichment() error {
	if p.Enriching != nil && p.Enriching.HttpParameters != nil {
		return unsupported("HTTP parameters of enrichments")
	}
	if p.Enrichment == "" {
		return nil
	}
	by, ok := target.ParseARN(p.Enrichment)
	if !ok {
		return invalid("The enrichment %s is no ARN.", p.Enrichment)
	}
	if by.Service != "lambda" {
		return unsupported("enrichments by %s", by.Service)
	}
	return p.checkTemplate(enrichmentTemplate(p))
}

func (p *pipe) checkTarget() error {
	if _, _, ok := universal(p.Target); ok {
		return invalid("The target %s is not one that pipes have.", p.Target)
	}
	if err := target.Check(p.Target); err != nil {
		return err
	}
	t := awsapi.Val(p.To)
	for name, given := range map[string]bool{"EcsTaskParameters": t.EcsTaskParameters != nil, "BatchJobParameters": t.BatchJobParameters != nil,
		"HttpParameters": t.HttpParameters != nil, "RedshiftDataParameters": t.RedshiftDataParameters != nil,
		"SageMakerPipelineParameters": t.SageMakerPipelineParameters != nil, "TimestreamParameters": t.TimestreamParameters != nil} {
		if given {
			return unsupported("%s of pipes", name)
		}
	}
	to, _ := target.ParseARN(p.Target)
	switch {
	case to.Service == "sqs" && strings.HasSuffix(to.Resource, ".fifo") && (t.SqsQueueParameters == nil || t.SqsQueueParameters.MessageGroupId == nil):
		return invalid("MessageGroupId is required for the FIFO queue %s.", p.Target)
	case to.Service == "sns" && strings.HasSuffix(to.Resource, ".fifo"):
		return invalid("Pipes do not publish to FIFO topics such as %s.", p.Target)
	case to.Service == "kinesis" && (t.KinesisStreamParameters == nil || t.KinesisStreamParameters.PartitionKey == nil):
		return invalid("PartitionKey is required for the stream %s.", p.Target)
	}
	return p.checkTemplate(targetTemplate(p))
}

func universal(arn string) (service, operation string, ok bool) {
	a, ok := target.ParseARN(arn)
	if !ok {
		return "", "", false
	}
	return a.Universal()
}

func (p *pipe) checkTemplate(text string) error {
	if _, err := parseTemplate(text); err != nil {
		return invalid("The input template is not valid: %s.", err)
	}
	return nil
}

func enrichmentTemplate(p *pipe) string {
	if p.Enriching == nil {
		return ""
	}
	return awsapi.Val(p.Enriching.InputTemplate)
}

func targetTemplate(p *pipe) string {
	if p.To == nil {
		return ""
	}
	return awsapi.Val(p.To.InputTemplate)
}

// updateSource changes parameters of the source; where its reading starts stays.
func (p *pipe) updateSource(in *api.UpdatePipeSourceParameters) {
	f := &p.From
	if in.FilterCriteria != nil {
		f.FilterCriteria = in.FilterCriteria
	}
	if q := in.SqsQueueParameters; q != nil {
		f.SqsQueueParameters = &api.PipeSourceSqsQueueParameters{BatchSize: q.BatchSize, MaximumBatchingWindowInSeconds: q.MaximumBatchingWindowInSeconds}
	}
	if k := in.KinesisStreamParameters; k != nil && f.KinesisStreamParameters != nil {
		old := f.KinesisStreamParameters
		f.KinesisStreamParameters = &api.PipeSourceKinesisStreamParameters{BatchSize: k.BatchSize, DeadLetterConfig: k.DeadLetterConfig,
			OnPartialBatchItemFailure: k.OnPartialBatchItemFailure, MaximumBatchingWindowInSeconds: k.MaximumBatchingWindowInSeconds,
			MaximumRecordAgeInSeconds: k.MaximumRecordAgeInSeconds, MaximumRetryAttempts: k.MaximumRetryAttempts,
			ParallelizationFactor: k.ParallelizationFactor, StartingPosition: old.StartingPosition, StartingPositionTimestamp: old.StartingPositionTimestamp}
	}
	if d := in.DynamoDBStreamParameters; d != nil && f.DynamoDBStreamParameters != nil {
		f.DynamoDBStreamParameters = &api.PipeSourceDynamoDBStreamParameters{BatchSize: d.BatchSize, DeadLetterConfig: d.DeadLetterConfig,
			OnPartialBatchItemFailure: d.OnPartialBatchItemFailure, MaximumBatchingWindowInSeconds: d.MaximumBatchingWindowInSeconds,
			MaximumRecordAgeInSeconds: d.MaximumRecordAgeInSeconds, MaximumRetryAttempts: d.MaximumRetryAttempts,
			ParallelizationFactor: d.ParallelizationFactor, StartingPosition: f.DynamoDBStreamParameters.StartingPosition}
	}
}

// logConfiguration is what is to be logged, and where. It is kept.
func logConfiguration(in *api.PipeLogConfigurationParameters) (*api.PipeLogConfiguration, error) {
	if in == nil {
		return nil, nil
	}
	if in.Level == nil {
		return nil, invalid("The log configuration has no level.")
	}
	out := &api.PipeLogConfiguration{Level: in.Level, IncludeExecutionData: in.IncludeExecutionData}
	if c := in.CloudwatchLogsLogDestination; c != nil {
		out.CloudwatchLogsLogDestination = &api.CloudwatchLogsLogDestination{LogGroupArn: c.LogGroupArn}
	}
	if c := in.FirehoseLogDestination; c != nil {
		out.FirehoseLogDestination = &api.FirehoseLogDestination{DeliveryStreamArn: c.DeliveryStreamArn}
	}
	if c := in.S3LogDestination; c != nil {
		out.S3LogDestination = &api.S3LogDestination{BucketName: c.BucketName, BucketOwner: c.BucketOwner, OutputFormat: c.OutputFormat, Prefix: c.Prefix}
	}
	return out, nil
}
