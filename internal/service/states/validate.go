package states

import (
	"context"

	api "cirro/internal/awsapi/states"
)

// ValidateStateMachineDefinition says what is wrong with a definition.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
func (s *Service) ValidateStateMachineDefinition(_ context.Context, in *api.ValidateStateMachineDefinitionInput) (*api.ValidateStateMachineDefinitionOutput, error) {
	most := 100
	if in.MaxResults != nil && *in.MaxResults > 0 {
		most = int(*in.MaxResults)
	}
	out := &api.ValidateStateMachineDefinitionOutput{Result: new(api.ValidateStateMachineDefinitionResultCodeOk), Truncated: new(false),
		Diagnostics: []api.ValidateStateMachineDefinitionDiagnostic{}}
	kind := api.StateMachineTypeStandard
	if in.Type != nil {
		kind = *in.Type
	}
	_, diagnostics := s.check("", *in.Definition, kind)
	for _, d := range diagnostics {
		out.Result = new(api.ValidateStateMachineDefinitionResultCodeFail)
		if len(out.Diagnostics) == most {
			out.Truncated = new(true)
			break
		}
		shown := api.ValidateStateMachineDefinitionDiagnostic{Severity: &d.Severity, Code: &d.Code, Message: &d.Message}
		if d.Location != "" {
			shown.Location = &d.Location
		}
		out.Diagnostics = append(out.Diagnostics, shown)
	}
	return out, nil
}
