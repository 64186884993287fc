package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// PublishVersion makes a version of $LATEST that never changes. Where nothing changed since the last
// one, that is returned.
// https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
func (s *Service) PublishVersion(ctx context.Context, in *api.PublishVersionRequest) (*api.FunctionConfiguration, error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, noPublishTo()
	}
	var out *version
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := changeable(tx, ref, in.RevisionId)
		if err != nil {
			return err
		}
		if sum := awsapi.Val(in.CodeSha256); sum != "" && sum != v.Code.sha256Base64() {
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with "+
				"the CodeSHA256 in $LATEST.", sum, v.Code.sha256Base64())
		}
		f, err := functionOf(tx, ref)
		if err != nil {
			return err
		}
		if out, err = s.publish(tx, f, v, in.Description); err != nil {
			return err
		}
		return store.SetRecord(tx, functionKey(ref.scope, ref.Name), *f)
	})
	if err != nil {
		return nil, err
	}
	s.activate(ref.scope, ref.Name)
	return out.shown(out.ARN()), nil
}

// publish writes a copy of $LATEST as the next version of f, which the caller writes. $LATEST has
// another revision then.
func (s *Service) publish(tx store.Tx, f *function, v *version, description *string) (*version, error) {
	print := v.fingerprint()
	if f.Published == print {
		last := strconv.Itoa(f.LastVersion)
		published, found, err := store.GetRecord[version](tx, versionKey(f.scope, f.Name, last))
		if err != nil || found {
			return &published, err
		}
	}
	f.LastVersion++
	f.Published = print
	p := *v
	p.Number, p.SpecID, p.RevisionID = strconv.Itoa(f.LastVersion), uuid.NewString(), uuid.NewString()
	set(&p.Description, description)
	if p.Update == api.LastUpdateStatusInProgress { // published together with an update
		p.State, p.Update = api.StatePending, ""
		p.StateReason, p.StateCode = p.UpdateReason, p.UpdateCode
		p.UpdateReason, p.UpdateCode = "", ""
	}
	p.beginSnapshot()
	v.RevisionID = uuid.NewString()
	return &p, errors.Join(setVersion(tx, v), s.addVersion(tx, &p))
}

// fingerprint is the same for two versions that do the same.
func (v *version) fingerprint() string {
	same := *v
	same.SpecID, same.RevisionID, same.Number = "", "", ""
	same.Modified = time.Time{}
	same.State, same.StateReason, same.StateCode = "", "", ""
	same.Update, same.UpdateReason, same.UpdateCode = "", "", ""
	b, err := json.Marshal(same)
	if err != nil {
		panic(err) // strings, numbers, maps of strings
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ListVersionsByFunction lists $LATEST and the published versions.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html
func (s *Service) ListVersionsByFunction(ctx context.Context, in *api.ListVersionsByFunctionRequest) (
	*api.ListVersionsByFunctionResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListVersionsByFunctionResponse{Versions: []api.FunctionConfiguration{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if _, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		over := store.Prefix("lambda", "version", ref.Account, ref.Region, ref.Name)
		versions, next, err := page[version](r, over, in.Marker, in.MaxItems, nil)
		for i := range versions {
			out.Versions = append(out.Versions, versions[i].listed(versions[i].ARN()))
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
