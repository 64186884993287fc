package lambda

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// UpdateFunctionCode replaces a function's package.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
func (s *Service) UpdateFunctionCode(ctx context.Context, in *api.UpdateFunctionCodeRequest) (*api.FunctionConfiguration, error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := checkCodeSource(in); err != nil {
		return nil, err
	}
	arch := ""
	if in.Architectures != nil {
		if arch, err = architecture(in.Architectures); err != nil {
			return nil, err
		}
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, err := changeable(r, ref, in.RevisionId)
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := s.receive(ctx, &api.FunctionCode{ZipFile: in.ZipFile, S3Bucket: in.S3Bucket, S3Key: in.S3Key, S3ObjectVersion: in.S3ObjectVersion})
	if err != nil {
		return nil, err
	}
	change := func(tx store.Tx, v *version) error {
		if arch != "" {
			v.Architecture = arch
		}
		return s.replaceCode(tx, v, c)
	}
	if awsapi.Val(in.DryRun) {
		defer s.discard(c)
		return s.preview(ctx, ref, in.RevisionId, func(v *version) error {
			v.Code = c
			if arch != "" {
				v.Architecture = arch
			}
			return v.checkUnpacked()
		})
	}
	out, err := s.change(ctx, ref, in.RevisionId, awsapi.Val(in.Publish), change)
	if err != nil {
		s.discard(c)
	}
	return out, err
}

func checkCodeSource(in *api.UpdateFunctionCodeRequest) error {
	switch {
	case in.ImageUri != nil:
		return invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
	case in.PublishTo != nil:
		return noPublishTo()
	case in.SourceKMSKeyArn != nil:
		return awsapi.NotImplemented.New("Cirro has no KMS keys: leave SourceKMSKeyArn out")
	}
	return nil
}

// replaceCode gives a version another package.
func (s *Service) replaceCode(tx store.Tx, v *version, c code) error {
	if err := s.release(tx, v.Code); err != nil {
		return err
	}
	if err := s.retain(tx, c); err != nil {
		return err
	}
	v.Code = c
	return v.checkUnpacked()
}

// checkUnpacked bounds a package and its layers together.
func (v *version) checkUnpacked() error {
	var total int64
	for _, c := range v.codes() {
		total += c.Unpacked
	}
	if total >= maxUnpacked {
		return tooLargeUnpacked()
	}
	return nil
}

// UpdateFunctionConfiguration changes a function's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
func (s *Service) UpdateFunctionConfiguration(ctx context.Context, in *api.UpdateFunctionConfigurationRequest) (
	*api.FunctionConfiguration, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	c := settings{in.Description, in.Runtime, in.Role, in.Handler, in.KMSKeyArn, in.Timeout, in.MemorySize,
		in.Environment, in.VpcConfig, in.DeadLetterConfig, in.TracingConfig, in.FileSystemConfigs, in.ImageConfig,
		in.EphemeralStorage, in.SnapStart, in.LoggingConfig, nil, in.CapacityProviderConfig, in.DurableConfig}
	return s.change(ctx, ref, in.RevisionId, false, func(tx store.Tx, v *version) error {
		if err := c.apply(v); err != nil {
			return err
		}
		if in.Layers == nil {
			return nil
		}
		before := slices.Clone(v.Layers)
		if err := s.useLayers(tx, v, in.Layers); err != nil {
			return err
		}
		return s.replaceLayers(tx, before, v.Layers)
	})
}

// replaceLayers moves a version's references from some layers to others.
func (s *Service) replaceLayers(tx store.Tx, before, after []layerUse) error {
	for _, l := range after {
		if err := s.retain(tx, l.Code); err != nil {
			return err
		}
	}
	for _, l := range before {
		if err := s.release(tx, l.Code); err != nil {
			return err
		}
	}
	return nil
}

// changeable reads a function's $LATEST for a change, which it must be ready for, and which the
// revision, where given, must be meant for.
func changeable(r store.Reader, ref reference, revision *string) (*version, error) {
	if _, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name}); err != nil {
		return nil, err
	}
	v, err := versionOf(r, ref, latest)
	if err != nil {
		return nil, err
	}
	if err := matchRevision(revision, v.RevisionID); err != nil {
		return nil, err
	}
	return v, v.settled()
}

// matchRevision refuses a request that was made for another revision than the present one.
func matchRevision(asked *string, now string) error {
	if asked == nil || *asked == "" || *asked == now {
		return nil
	}
	return api.PreconditionFailedException.New("The Revision Id provided does not match the latest Revision Id. "+
		"Call the GetFunction/GetAlias API to retrieve the latest Revision Id").With("Type", "User")
}

// change changes a function's $LATEST, and publishes it where asked to.
func (s *Service) change(ctx context.Context, ref reference, revision *string, publish bool,
	f func(store.Tx, *version) error,
) (*api.FunctionConfiguration, error) {
	var out *version
	var before string
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := changeable(tx, ref, revision)
		if err != nil {
			return err
		}
		before = v.SpecID
		if err := f(tx, v); err != nil {
			return err
		}
		v.progress(s)
		if err := setVersion(tx, v); err != nil {
			return err
		}
		out = v
		if !publish {
			return nil
		}
		owner, err := functionOf(tx, ref)
		if err != nil {
			return err
		}
		if out, err = s.publish(tx, owner, v, nil); err != nil {
			return err
		}
		return store.SetRecord(tx, functionKey(ref.scope, ref.Name), *owner)
	})
	if err != nil {
		return nil, err
	}
	s.retire(before)
	s.activate(ref.scope, ref.Name)
	s.sweepSoon()
	if publish {
		return out.shown(out.ARN()), nil
	}
	return out.shown(ref.arn("function", ref.Name)), nil
}

// progress marks a changed version as one whose update is under way.
func (v *version) progress(s *Service) {
	v.SpecID, v.RevisionID, v.Modified = uuid.NewString(), uuid.NewString(), s.Clock()
	v.Update, v.UpdateReason, v.UpdateCode = api.LastUpdateStatusInProgress, "The function is being created.", "Creating"
}

// preview shows what a change would make of a function.
func (s *Service) preview(ctx context.Context, ref reference, revision *string, f func(*version) error) (
	out *api.FunctionConfiguration, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		v, err := changeable(r, ref, revision)
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
		out = v.shown(ref.arn("function", ref.Name))
		return nil
	})
	return out, err
}
