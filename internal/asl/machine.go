package asl

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"cirro/internal/asl/jsonpath"
)

// QueryLanguage is the language of a state's expressions.
type QueryLanguage string

// The query languages.
const (
	JSONPath QueryLanguage = "JSONPath"
	JSONata  QueryLanguage = "JSONata"
)

// The types of states.
const (
	Pass     = "Pass"
	Task     = "Task"
	Choice   = "Choice"
	Wait     = "Wait"
	Succeed  = "Succeed"
	Fail     = "Fail"
	Parallel = "Parallel"
	Map      = "Map"
)

// Machine is a state machine, or a part of one: a branch, or what a Map state does with an item.
type Machine struct {
	Comment        string
	Version        string
	Language       QueryLanguage
	StartAt        string
	TimeoutSeconds int64 // of a whole execution; 0 for no limit
	States         map[string]*State

	References map[string][]string // of a whole machine: the variables that each of its states refers to
}

// All are the states of a machine and of those within it, by where they stand in the definition.
func (m *Machine) All() iter.Seq2[string, *State] {
	return func(yield func(string, *State) bool) { m.walk("", yield) }
}

func (m *Machine) walk(at string, yield func(string, *State) bool) bool {
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		s, below := m.States[name], at+"/States/"+name
		if !yield(below, s) {
			return false
		}
		for i, b := range s.Branches {
			if !b.walk(fmt.Sprintf("%s/Branches[%d]", below, i), yield) {
				return false
			}
		}
		if s.MapState != nil && !s.Processor.walk(below+"/ItemProcessor", yield) {
			return false
		}
	}
	return true
}

// State is a state, ready to run.
type State struct {
	Name     string
	Type     string
	Comment  string
	Language QueryLanguage
	Next     string
	End      bool

	InputPath      *filter
	OutputPath     *filter
	ResultPath     *jsonpath.Path // nil for $
	DiscardResult  bool           // ResultPath is null
	parameters     expression
	resultSelector expression
	arguments      expression
	output         expression
	assign         expression

	result      expression // of a Pass
	Resource    string     // of a Task
	credentials expression
	timeout     expression
	heartbeat   expression
	Retriers    []Retrier
	Catchers    []Catcher

	rules    []rule // of a Choice
	Fallback string // its Default; "" for none

	seconds   expression // of a Wait
	timestamp expression

	errorName  expression // of a Fail
	errorCause expression

	Branches []*Machine // of a Parallel

	*MapState
}

// MapState is what a Map state has beside other states.
type MapState struct {
	Processor     *Machine
	Distributed   bool
	ExecutionType string // of a distributed one's children: STANDARD or EXPRESS
	Label         string

	itemsPath        *filter
	items            expression
	itemSelector     expression
	maxConcurrency   expression
	toleratedCount   expression
	toleratedPercent expression
	Reader           *ItemReader
	Batcher          *ItemBatcher
	Writer           *ResultWriter
}

// ItemReader says where a distributed Map's items come from.
type ItemReader struct {
	Resource   string
	parameters expression
	Config     ReaderConfig
}

// ReaderConfig says how items are read.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
type ReaderConfig struct {
	InputType         string // CSV, JSON, JSONL, MANIFEST, PARQUET
	Transformation    string // NONE or LOAD_AND_FLATTEN
	ManifestType      string
	CSVDelimiter      string
	CSVHeaderLocation string
	CSVHeaders        []string
	ItemsPointer      string
	maxItems          expression
}

// ItemBatcher says how items are put together.
type ItemBatcher struct {
	input       expression
	maxItems    expression
	maxBytes    expression
	HasMaxBytes bool
}

// ResultWriter says where a distributed Map's results go.
type ResultWriter struct {
	Resource       string
	parameters     expression
	Transformation string
	OutputType     string
}

// Retrier says when a state is tried again.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-retrying-after-an-error
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds float64
	MaxAttempts     int64
	BackoffRate     float64
	MaxDelaySeconds float64 // 0 for no limit
	FullJitter      bool
}

// Catcher says which state follows an error.
type Catcher struct {
	ErrorEquals   []string
	Next          string
	ResultPath    *jsonpath.Path // nil for $
	DiscardResult bool
	assign        expression
	output        expression
}

// filter is a path that may be null, which stands for an empty object.
type filter struct {
	*jsonpath.Path
	field string
	call  expression // ItemsPath may hold a call
}
