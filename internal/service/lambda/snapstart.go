package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/store"
)

// SnapStart: a version that is published with it is initialised once, when it is published, and its
// environments begin from there.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html

// snapStarts says whether a version starts so: $LATEST never does.
func (v *version) snapStarts() bool {
	return v.SnapStart == api.SnapStartApplyOnPublishedVersions && v.Number != latest
}

// takesSnapshots says whether functions of a runtime can have SnapStart: beside AWS's all those here that
// can be kept initialised.
func takesSnapshots(runtime string) bool {
	return slices.Contains(snapStartRuntimes, runtime) || strings.HasPrefix(runtime, "python3.") || strings.HasPrefix(runtime, "nodejs")
}

// checkSnapStart refuses what cannot go together with it.
func (v *version) checkSnapStart() error {
	switch {
	case v.SnapStart != api.SnapStartApplyOnPublishedVersions:
		return nil
	case !takesSnapshots(v.Runtime):
		return notWithSnapStart(v.Runtime)
	case v.Tmp > minTmp:
		return notWithSnapStart("EphemeralStorage greater than 512 MB")
	}
	return nil
}

// notWithSnapStart is AWS's error for what SnapStart does not go with. See _validate_snapstart in
// https://github.com/localstack/localstack/blob/main/localstack-core/localstack/services/lambda_/provider.py
func notWithSnapStart(what string) error {
	return invalid("%s is not supported for SnapStart enabled functions.", what)
}

// checkNoSnapStart refuses to keep environments of versions ready that start from snapshots.
func checkNoSnapStart(r store.Reader, p *provisioned, targets map[string]int) error {
	for number := range targets {
		v, found, err := store.GetRecord[version](r, versionKey(p.scope, p.Function, number))
		if err != nil {
			return err
		}
		if found && v.snapStarts() {
			return notWithSnapStart("Provisioned Concurrency")
		}
	}
	return nil
}

// beginSnapshot makes a new version wait for its snapshot.
func (v *version) beginSnapshot() {
	if v.snapStarts() {
		v.State, v.StateReason, v.StateCode = api.StatePending, "The function is being created.", api.StateReasonCodeCreating
	}
}

// snapshot initialises a version that is new, if it has SnapStart. It returns why the version cannot become
// active.
func (s *Service) snapshot(ctx context.Context, v *version) error {
	runner, ok := s.Runner.(sandbox.Snapshotter)
	if !v.snapStarts() || v.State != api.StatePending || !ok {
		return nil
	}
	spec, err := s.spec(ctx, v, snapStart)
	if err != nil {
		return err
	}
	return runner.Snapshot(ctx, spec)
}

// failed says why a version cannot become active.
func failed(err error) (reason, code string) {
	var init *sandbox.InitError
	if !errors.As(err, &init) {
		return "An internal error prevented the function from being made ready.", api.StateReasonCodeInternalError
	}
	return initReason(init), api.StateReasonCodeFunctionError
}

// initReason words the failure of an initialisation.
func initReason(e *sandbox.InitError) string {
	if e.Timeout {
		return "The function's initialization timed out."
	}
	var body struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(e.Body, &body) != nil || body.Message == "" {
		return "The function's initialization failed: " + e.Type
	}
	return "The function's initialization failed: " + e.Type + ": " + body.Message
}

// restoreFailed is AWS's error for an environment that did not come out of its snapshot.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html
func restoreFailed(e *sandbox.RestoreError) error {
	if e.Timeout {
		return api.SnapStartTimeoutException.New("Lambda couldn't restore the snapshot within the timeout limit.").With("Type", "User")
	}
	return api.SnapStartException.New("The afterRestore() runtime hook encountered an error. For more information, check the "+
		"Amazon CloudWatch logs.").With("Type", "User")
}
