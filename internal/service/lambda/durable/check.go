package durable

import (
	"encoding/json"
	"fmt"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// actions are what can be done to the operations of a type.
var actions = map[string][]string{
	api.OperationTypeExecution:     {api.OperationActionSucceed, api.OperationActionFail},
	api.OperationTypeContext:       {api.OperationActionStart, api.OperationActionSucceed, api.OperationActionFail},
	api.OperationTypeStep:          {api.OperationActionStart, api.OperationActionSucceed, api.OperationActionFail, api.OperationActionRetry},
	api.OperationTypeWait:          {api.OperationActionStart, api.OperationActionCancel},
	api.OperationTypeCallback:      {api.OperationActionStart},
	api.OperationTypeChainedInvoke: {api.OperationActionStart},
}

// checkWhole refuses updates that do not go together.
func checkWhole(updates []api.OperationUpdate) error {
	last := map[string]*api.OperationUpdate{}
	executions := 0
	for i := range updates {
		if *updates[i].Type == api.OperationTypeExecution {
			executions++
		}
	}
	switch {
	case executions > 1:
		return Refusal("Cannot checkpoint multiple EXECUTION updates.")
	case executions == 1 && *updates[len(updates)-1].Type != api.OperationTypeExecution:
		return Refusal("EXECUTION checkpoint must be the last update.")
	}
	for i := range updates {
		u := &updates[i]
		if before := last[*u.Id]; before != nil && !continues(before, u) {
			return Refusal("Cannot checkpoint multiple operations with the same ID.")
		}
		last[*u.Id] = u
	}
	return nil
}

// continues reports whether an update may follow another of the same operation: what has been begun may go on.
func continues(before, u *api.OperationUpdate) bool {
	return (*before.Type == api.OperationTypeStep || *before.Type == api.OperationTypeContext) &&
		*before.Action == api.OperationActionStart && *u.Action != api.OperationActionStart
}

// check refuses an update that says something wrong, whatever the state of its operation, which is nil for a new one.
func (s *Step) check(u *api.OperationUpdate, op *Operation) error {
	if op != nil {
		switch {
		case op.Type != *u.Type:
			return Refusal("Inconsistent operation type.")
		case u.SubType != nil && *u.SubType != op.SubType:
			return Refusal("Inconsistent operation subtype.")
		case u.Name != nil && *u.Name != op.Name:
			return Refusal("Inconsistent operation name.")
		case u.ParentId != nil && *u.ParentId != op.Parent:
			return Refusal("Inconsistent parent operation id.")
		}
	}
	allowed, known := actions[*u.Type]
	switch {
	case !known:
		return Refusal("Unknown operation type.")
	case !slices.Contains(allowed, *u.Action):
		return Refusal("Invalid action for the given operation type.")
	case *u.Action == api.OperationActionSucceed && u.Error != nil:
		return Refusal("Cannot provide an Error for SUCCEED action.")
	case *u.Action == api.OperationActionFail && u.Payload != nil:
		return Refusal("Cannot provide a Payload for FAIL action.")
	}
	if err := s.checkSize(u); err != nil {
		return err
	}
	if u.ParentId == nil {
		return nil
	}
	parent, err := s.Operation(*u.ParentId)
	if err == nil && (parent == nil || parent.Type != api.OperationTypeContext) {
		err = Refusal("Invalid parent operation id.")
	}
	return err
}

// checkSize bounds what an update brings.
// https://docs.aws.amazon.com/lambda/latest/api/API_OperationUpdate.html
func (s *Step) checkSize(u *api.OperationUpdate) error {
	if u.Error != nil {
		b, err := json.Marshal(u.Error)
		if err != nil {
			return err
		}
		if len(b) >= MostPayload {
			return Refusal(fmt.Sprintf("Error object size must be less than %d bytes.", MostPayload))
		}
	}
	size := len(awsapi.Val(u.Payload))
	switch {
	case *u.Type == api.OperationTypeExecution && size > s.Limit:
		return tooLarge("Execution output", s.Limit)
	case *u.Type == api.OperationTypeChainedInvoke && size > MostPayload:
		return tooLarge("CHAINED_INVOKE input", MostPayload)
	case *u.Type != api.OperationTypeExecution && size > MostPayload:
		return tooLarge(*u.Type, MostPayload)
	}
	return nil
}

func tooLarge(what string, limit int) Refusal {
	return Refusal(fmt.Sprintf("%s payload size must be less than or equal to %d bytes.", what, limit))
}
