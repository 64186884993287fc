package asl

import (
	"fmt"
	"slices"
)

// Diagnostic is what is wrong with a definition, or doubtful.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
type Diagnostic struct {
	Severity string // ERROR or WARNING
	Code     string
	Message  string
	Location string // a path into the definition, "/States/A/Next"
}

// The codes of diagnostics. What is said under them was measured of the service, by
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/test_sfn_api_validation.snapshot.json,
// https://github.com/badmintoncryer/cdk-preflight and https://github.com/floci-io/floci/blob/main/docs/services/step-functions.md
const (
	invalidJSON    = "INVALID_JSON_DESCRIPTION"
	schemaFailed   = "SCHEMA_VALIDATION_FAILED"
	missingTarget  = "MISSING_TRANSITION_TARGET"
	missingEnd     = "MISSING_END_STATE"
	duplicateState = "DUPLICATE_STATE_NAME"
	duplicateLabel = "DUPLICATE_LABEL_NAME"
	stateName      = "INVALID_STATE_NAME"
	labelName      = "INVALID_LABEL_NAME"
	variableNamed  = "INVALID_VARIABLE_NAME"
	reservedName   = "RESERVED_VARIABLE_NAME"

	invalidJSONata     = "INVALID_JSONATA_EXPRESSION"
	unsupportedJSONata = "UNSUPPORTED_JSONATA_EXPRESSION"

	severityError = "ERROR"
	maxDefinition = 1 << 20
	maxNesting    = 64
	maxStateName  = 80
	maxLabel      = 40
)

// String is the diagnostic as the message of InvalidDefinition has it.
func (d Diagnostic) String() string {
	if d.Code == missingEnd {
		return d.Code + ": " + d.Message + " at null"
	}
	if d.Location == "" {
		return d.Code + ": " + d.Message
	}
	return fmt.Sprintf("%s: %s at %s", d.Code, d.Message, d.Location)
}

// reader collects what is wrong while it reads.
type reader struct {
	diagnostics []Diagnostic
	names       map[string]bool // of all states
	labels      map[string]bool // of all Map states
	language    QueryLanguage   // of the whole machine
	state       string          // that is being read
	caught      bool            // what is read belongs to a catcher
	references  map[string][]string
}

// refer notes the variables that the state refers to which is being read.
func (r *reader) refer(names ...string) {
	for _, name := range names {
		if name != "" && name != "states" && !slices.Contains(r.references[r.state], name) {
			r.references[r.state] = append(r.references[r.state], name)
		}
	}
}

func (r *reader) report(code, at, message string, args ...any) {
	if at == "" {
		at = "/"
	}
	r.diagnostics = append(r.diagnostics, Diagnostic{severityError, code, fmt.Sprintf(message, args...), at})
}

func (r *reader) schema(at, message string, args ...any) {
	r.report(schemaFailed, at, message, args...)
}
