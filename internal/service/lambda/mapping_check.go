package lambda

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	streamsapi "cirro/internal/awsapi/dynamodbstreams"
	kinesisapi "cirro/internal/awsapi/kinesis"
	api "cirro/internal/awsapi/lambda"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/eventpattern"
	"cirro/internal/eventsource"
	"cirro/internal/store"
)

// Limits of mappings. https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
const (
	receiveMost      = 10 // messages of a call of SQS
	leastRecordAge   = 60 // seconds
	maxFilters       = 5
	maxFilterPattern = 4096
)

// checkMappingKind refuses sources that are none, or that there are none of here.
func checkMappingKind(in *api.CreateEventSourceMappingRequest) error {
	switch {
	case in.SelfManagedEventSource != nil || in.SelfManagedKafkaEventSourceConfig != nil:
		return awsapi.NotImplemented.New("Cirro does not implement event sources of Kafka")
	case in.EventSourceArn == nil:
		return invalid("Unrecognized event source.")
	}
	if _, err := eventsource.Locate(*in.EventSourceArn); err == nil {
		return nil
	}
	service := strings.Split(*in.EventSourceArn, ":")
	if len(service) > 2 && slices.Contains([]string{"kafka", "mq", "rds"}, service[2]) {
		return awsapi.NotImplemented.New("Cirro does not implement event sources of %s", service[2])
	}
	return invalid("Unrecognized event source.")
}

// start sets where a mapping begins. Recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/event_source_mapping/test_api.snapshot.json
func (m *mapping) start(in *api.CreateEventSourceMappingRequest) error {
	at := awsapi.Val(in.StartingPosition)
	switch kind := m.kind(); {
	case kind == eventsource.SQS && (in.StartingPosition != nil || in.StartingPositionTimestamp != nil):
		return invalid("StartingPosition is not valid for SQS event sources.")
	case kind == eventsource.SQS:
		return nil
	case at == "":
		return invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	case at == api.EventSourcePositionAtTimestamp && kind == eventsource.DynamoDB:
		return invalid("Unsupported starting position for arn type: %s", m.Source)
	case at == api.EventSourcePositionAtTimestamp && in.StartingPositionTimestamp == nil:
		return invalid("Timestamp must be provided with StartingPosition AT_TIMESTAMP")
	case at != api.EventSourcePositionAtTimestamp && in.StartingPositionTimestamp != nil:
		return invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")
	}
	m.Start, m.StartTime = at, in.StartingPositionTimestamp
	return nil
}

// update changes a mapping as a request wants it.
func (m *mapping) update(ctx context.Context, in *api.UpdateEventSourceMappingRequest) error {
	if err := refuseMappingOptions(in); err != nil {
		return err
	}
	if in.FunctionName != nil {
		ref, err := own(ctx, *in.FunctionName, "")
		if err != nil {
			return err
		}
		m.Function, m.Qualifier = ref.Name, ref.Qualifier
	}
	if in.Enabled != nil {
		m.Enabled = *in.Enabled
	}
	setInt(&m.BatchSize, in.BatchSize)
	setInt(&m.Window, in.MaximumBatchingWindowInSeconds)
	if in.FunctionResponseTypes != nil {
		m.Partial = slices.Contains(in.FunctionResponseTypes, api.FunctionResponseTypeReportBatchItemFailures)
	}
	if in.MetricsConfig != nil {
		m.Metrics = in.MetricsConfig.Metrics
	}
	if in.FilterCriteria != nil {
		if err := m.filter(in.FilterCriteria); err != nil {
			return err
		}
	}
	if m.kind() == eventsource.SQS {
		return m.updateQueue(in)
	}
	return m.updateStream(in)
}

func setInt(to *int, from *int32) {
	if from != nil {
		*to = int(*from)
	}
}

// refuseMappingOptions refuses what is not there.
func refuseMappingOptions(in *api.UpdateEventSourceMappingRequest) error {
	for option, given := range map[string]bool{
		"SourceAccessConfigurations":          len(in.SourceAccessConfigurations) > 0,
		"DocumentDBEventSourceConfig":         in.DocumentDBEventSourceConfig != nil,
		"AmazonManagedKafkaEventSourceConfig": in.AmazonManagedKafkaEventSourceConfig != nil,
		"SelfManagedKafkaEventSourceConfig":   in.SelfManagedKafkaEventSourceConfig != nil,
		"ProvisionedPollerConfig":             in.ProvisionedPollerConfig != nil,
		"LoggingConfig":                       in.LoggingConfig != nil,
		"KMSKeyArn":                           awsapi.Val(in.KMSKeyArn) != "",
	} {
		if given {
			return awsapi.NotImplemented.New("Cirro does not implement %s of event source mappings", option)
		}
	}
	return nil
}

// filter sets the patterns. https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func (m *mapping) filter(in *api.FilterCriteria) error {
	if len(in.Filters) > maxFilters {
		return invalid("FilterCriteria can contain at most %d filters.", maxFilters)
	}
	m.Filters = nil
	for _, f := range in.Filters {
		pattern := awsapi.Val(f.Pattern)
		if _, err := eventpattern.Compile([]byte(pattern)); err != nil || len(pattern) > maxFilterPattern {
			return invalid("Invalid filter pattern definition.")
		}
		m.Filters = append(m.Filters, pattern)
	}
	return nil
}

// updateQueue changes what a queue's mapping alone has, and refuses what it has not.
func (m *mapping) updateQueue(in *api.UpdateEventSourceMappingRequest) error {
	fifo := strings.HasSuffix(m.Source, ".fifo")
	switch {
	case in.ParallelizationFactor != nil, in.MaximumRecordAgeInSeconds != nil, in.MaximumRetryAttempts != nil,
		in.BisectBatchOnFunctionError != nil, in.TumblingWindowInSeconds != nil:
		return invalid("Unsupported stream parameters for given event source mapping type.")
	case in.DestinationConfig != nil:
		return invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
	case fifo && m.Window > 0:
		return invalid("Batching window is not supported for FIFO queues")
	case fifo && m.BatchSize > receiveMost:
		return invalid("Batch size must not exceed %d for FIFO queues", receiveMost)
	case m.BatchSize > receiveMost && m.Window == 0:
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than %d", receiveMost)
	}
	if in.ScalingConfig != nil {
		m.Concurrency = int(awsapi.Val(in.ScalingConfig.MaximumConcurrency))
	}
	return nil
}

// updateStream changes what a stream's mapping alone has, and refuses what it has not.
func (m *mapping) updateStream(in *api.UpdateEventSourceMappingRequest) error {
	setInt(&m.Parallel, in.ParallelizationFactor)
	setInt(&m.Retries, in.MaximumRetryAttempts)
	setInt(&m.Age, in.MaximumRecordAgeInSeconds)
	setInt(&m.Tumbling, in.TumblingWindowInSeconds)
	if in.BisectBatchOnFunctionError != nil {
		m.Bisect = *in.BisectBatchOnFunctionError
	}
	switch {
	case in.ScalingConfig != nil:
		return invalid("Unsupported ScalingConfig parameter for given event source mapping type.")
	case m.Age != -1 && m.Age < leastRecordAge:
		return invalid("Minimum allowed MaximumRecordAgeInSeconds is %d seconds.", leastRecordAge)
	case in.DestinationConfig == nil:
		return nil
	case in.DestinationConfig.OnSuccess != nil:
		return invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
	}
	to := ""
	if in.DestinationConfig.OnFailure != nil {
		to = awsapi.Val(in.DestinationConfig.OnFailure.Destination)
	}
	service := strings.Split(to, ":")
	if to != "" && (len(service) < 6 || !slices.Contains([]string{"sqs", "sns", "s3"}, service[2])) {
		return invalid("The provided destination config DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=%s)) is invalid.", to)
	}
	m.OnFailure = to
	return nil
}

// checkFunction refuses a function, a version or an alias that is not there.
func (m *mapping) checkFunction(r store.Reader) error {
	ref := reference{m.scope, m.Function, m.Qualifier}
	_, found, err := store.GetRecord[function](r, functionKey(m.scope, m.Function))
	if err == nil && found && m.Qualifier != "" {
		if err = qualified(r, ref); errors.Is(err, api.ResourceNotFoundException) {
			found, err = false, nil
		}
	}
	if err == nil && !found {
		err = invalid("Function does not exist")
	}
	return err
}

// checkAlone refuses a second mapping of a source to a function.
func (m *mapping) checkAlone(r store.Reader) error {
	for other, err := range store.Records[mapping](r, store.Prefix("lambda", "mapping", m.Account, m.Region)) {
		if err != nil {
			return err
		}
		if other.UUID == m.UUID || other.Source != m.Source || other.Function != m.Function || other.Qualifier != m.Qualifier {
			continue
		}
		if m.kind() == eventsource.SQS {
			return conflict("An event source mapping with SQS arn (\" %s \") and function (\" %s \") already exists. "+
				"Please update or delete the existing mapping with UUID %s", m.Source, m.Function, other.UUID)
		}
		return conflict("The event source arn (\" %s \") and function (\" %s \") provided mapping already exists. "+
			"Please update or delete the existing mapping with UUID %s", m.Source, m.Function, other.UUID)
	}
	return nil
}

// checkMappingSource refuses a source that is not there, or whose visibility timeout ends before the function has to.
func (s *Service) checkMappingSource(ctx context.Context, m *mapping) error {
	at, err := eventsource.Locate(m.Source)
	if err != nil {
		return invalid("Unrecognized event source.")
	}
	if at.Region != m.Region {
		return invalid("Event source ARN %s is not in the function's region.", m.Source)
	}
	r, err := s.route(ctx, m.scope, m.Function, m.Qualifier)
	if errors.Is(err, api.ResourceNotFoundException) {
		return invalid("Function does not exist")
	}
	if err != nil {
		return err
	}
	as := session(m.scope, r.main.Role, m.Function)
	switch at.Kind {
	case eventsource.SQS:
		return s.checkQueue(ctx, as, at, r.main.Timeout)
	case eventsource.Kinesis:
		_, err = s.Caller.Call(ctx, as, "kinesis", "DescribeStreamSummary", &kinesisapi.DescribeStreamSummaryInput{StreamARN: &m.Source})
		if errors.Is(err, kinesisapi.ResourceNotFoundException) {
			return invalid("Stream not found: %s", m.Source)
		}
	default:
		_, err = s.Caller.Call(ctx, as, "streams.dynamodb", "DescribeStream", &streamsapi.DescribeStreamInput{StreamArn: &m.Source})
		if errors.Is(err, streamsapi.ResourceNotFoundException) || errors.Is(err, awsapi.ValidationException) {
			return invalid("Stream not found: %s", m.Source)
		}
	}
	return err
}

func (s *Service) checkQueue(ctx context.Context, as awsapi.Principal, at eventsource.Place, timeout int) error {
	out, err := s.Caller.Call(ctx, as, "sqs", "GetQueueAttributes", &sqsapi.GetQueueAttributesRequest{
		QueueUrl: new(queueURL(at.Region, at.Account, at.Resource)), AttributeNames: []string{sqsapi.QueueAttributeNameVisibilityTimeout}})
	if errors.Is(err, sqsapi.QueueDoesNotExist) {
		return invalid("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. " +
			"SQS Error Message: The specified queue does not exist for this wsdl version.")
	}
	if err != nil {
		return err
	}
	attributes, ok := out.(*sqsapi.GetQueueAttributesResult)
	if !ok {
		return nil
	}
	visibility, err := strconv.Atoi(attributes.Attributes[sqsapi.QueueAttributeNameVisibilityTimeout])
	if err == nil && visibility < timeout {
		return invalid("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", visibility, timeout)
	}
	return nil
}
