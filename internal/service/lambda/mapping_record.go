package lambda

import (
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/eventsource"
	"cirro/internal/store"
)

// mapping is an event source mapping: a source that a function is invoked for.
type mapping struct {
	scope
	UUID      string
	Source    string // ARN
	Function  string
	Qualifier string // a number, an alias, or "" for none
	Modified  time.Time
	Enabled   bool   // as its owner wants it
	State     string // as it is: one of mappingStates
	Result    string // of the last batch
	Revision  string // of what the poller needs to know

	BatchSize   int
	Window      int      // seconds
	Filters     []string // patterns
	Partial     bool     // functions report failed items
	Concurrency int      // of a queue's; 0 for no maximum
	Metrics     []string
	Tags        map[string]string

	// Of streams.
	Start     string
	StartTime *time.Time
	Parallel  int
	Retries   int // -1 for ever
	Age       int // seconds; -1 for no maximum
	Tumbling  int // seconds
	Bisect    bool
	OnFailure string // ARN
}

// States of a mapping.
// https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
const (
	mappingCreating  = "Creating"
	mappingEnabling  = "Enabling"
	mappingEnabled   = "Enabled"
	mappingDisabling = "Disabling"
	mappingDisabled  = "Disabled"
	mappingUpdating  = "Updating"
	mappingDeleting  = "Deleting"
)

func mappingKey(s scope, uuid string) []byte {
	return store.Key("lambda", "mapping", s.Account, s.Region, uuid)
}

func (m *mapping) key() []byte { return mappingKey(m.scope, m.UUID) }

// sourceID is what the mapping's checkpoints are kept under.
func (m *mapping) sourceID() string { return "lambda/" + m.UUID }

func (m *mapping) kind() eventsource.Kind {
	p, err := eventsource.Locate(m.Source)
	if err != nil {
		return "" // checked when it was made
	}
	return p.Kind
}

// settled reports whether the mapping is in a state that lasts.
func (m *mapping) settled() bool { return m.State == mappingEnabled || m.State == mappingDisabled }

func (m *mapping) functionARN() string { return m.arn("function", m.Function, m.Qualifier) }

// shown is the mapping as the API shows it. Queues and streams have different members, as recorded in
// https://github.com/localstack/localstack/tree/main/tests/aws/services/lambda_/event_source_mapping
func (m *mapping) shown() *api.EventSourceMappingConfiguration {
	out := &api.EventSourceMappingConfiguration{
		UUID:                           &m.UUID,
		EventSourceMappingArn:          new(m.arn("event-source-mapping", m.UUID)),
		EventSourceArn:                 &m.Source,
		FunctionArn:                    new(m.functionARN()),
		LastModified:                   &m.Modified,
		State:                          &m.State,
		StateTransitionReason:          new("USER_INITIATED"),
		BatchSize:                      new(int32(m.BatchSize)),
		MaximumBatchingWindowInSeconds: new(int32(m.Window)),
		FunctionResponseTypes:          []string{},
	}
	if m.Partial {
		out.FunctionResponseTypes = []string{api.FunctionResponseTypeReportBatchItemFailures}
	}
	if len(m.Filters) > 0 {
		out.FilterCriteria = &api.FilterCriteria{}
		for _, pattern := range m.Filters {
			out.FilterCriteria.Filters = append(out.FilterCriteria.Filters, api.Filter{Pattern: new(pattern)})
		}
	}
	if m.Metrics != nil {
		out.MetricsConfig = &api.EventSourceMappingMetricsConfig{Metrics: m.Metrics}
	}
	if m.kind() == eventsource.SQS {
		if m.Concurrency > 0 {
			out.ScalingConfig = &api.ScalingConfig{MaximumConcurrency: new(int32(m.Concurrency))}
		}
		if strings.HasPrefix(m.Result, "PROBLEM") {
			out.LastProcessingResult = &m.Result // AWS has it for streams alone
		}
		return out
	}
	m.showStream(out)
	return out
}

func (m *mapping) showStream(out *api.EventSourceMappingConfiguration) {
	out.StateTransitionReason = new("User action")
	out.LastProcessingResult = &m.Result
	out.StartingPosition, out.StartingPositionTimestamp = &m.Start, m.StartTime
	out.ParallelizationFactor = new(int32(m.Parallel))
	out.MaximumRetryAttempts = new(int32(m.Retries))
	out.MaximumRecordAgeInSeconds = new(int32(m.Age))
	out.TumblingWindowInSeconds = new(int32(m.Tumbling))
	out.BisectBatchOnFunctionError = &m.Bisect
	out.DestinationConfig = &api.DestinationConfig{OnFailure: &api.OnFailure{Destination: text(m.OnFailure)}}
}

// findMapping reads a mapping, or answers that there is none.
func findMapping(r store.Reader, in scope, uuid *string) (*mapping, error) {
	m, found, err := store.GetRecord[mapping](r, mappingKey(in, awsapi.Val(uuid)))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("The resource you requested does not exist.")
	}
	return &m, nil
}
