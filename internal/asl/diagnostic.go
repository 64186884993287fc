package asl

import "fmt"

// Diagnostic is what is wrong with a definition, or doubtful.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
type Diagnostic struct {
	Severity string // ERROR or WARNING
	Code     string
	Message  string
	Location string // a path into the definition, "/States/A/Next"
}

// The codes of diagnostics.
const (
	invalidJSON    = "INVALID_JSON_DESCRIPTION"
	schemaFailed   = "SCHEMA_VALIDATION_FAILED"
	missingTarget  = "MISSING_TRANSITION_TARGET"
	missingEnd     = "MISSING_END_STATE"
	duplicateState = "DUPLICATE_STATE_NAME"
	severityError  = "ERROR"
	maxDefinition  = 1 << 20
	maxNesting     = 64
	maxStateName   = 80
)

// String is the diagnostic as the message of InvalidDefinition has it.
func (d Diagnostic) String() string {
	if d.Location == "" {
		return d.Code + ": " + d.Message
	}
	return fmt.Sprintf("%s: %s at %s", d.Code, d.Message, d.Location)
}

// reader collects what is wrong while it reads.
type reader struct {
	diagnostics []Diagnostic
	names       map[string]bool // of all states
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
