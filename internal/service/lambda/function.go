package lambda

import (
	"context"
	"errors"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/service/lambda/bundle"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// The bounds of a package. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxZipped   = 52428800
	maxUnpacked = 262144000
	maxLayers   = 5
)

// requestEntityTooLarge is an error that Lambda's model does not list.
var requestEntityTooLarge = &awsapi.ErrorType{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge}

// CreateFunction makes a function of a zip.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
func (s *Service) CreateFunction(ctx context.Context, in *api.CreateFunctionRequest) (*api.FunctionConfiguration, error) {
	ref, err := refer(scopeOf(ctx), *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	v := newVersion(ref)
	if err := configure(v, in); err != nil {
		return nil, err
	}
	tags := in.Tags
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if err := s.absent(ctx, ref); err != nil {
		return nil, err
	}
	if v.Code, err = s.receive(ctx, in.Code); err != nil {
		return nil, err
	}
	var out *version
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		out, err = s.create(tx, *v, tags, awsapi.Val(in.Publish), in.Layers)
		return err
	})
	if err != nil {
		s.discard(v.Code)
		return nil, err
	}
	s.activate(out.scope, out.Function)
	if s.Expect != nil {
		s.Expect(string(out.Runtime))
	}
	return out.shown(ref.arn("function", ref.Name)), nil
}

// newVersion is a $LATEST with Lambda's defaults.
func newVersion(ref reference) *version {
	return &version{
		scope: ref.scope, Function: ref.Name, Number: latest,
		Timeout: 3, Memory: minMemory, Tmp: minTmp, Architecture: api.ArchitectureX8664,
		Tracing: api.TracingModePassThrough, SnapStart: api.SnapStartApplyOnNone,
		Logging: logging{Format: api.LogFormatText}, UpdateRuntime: api.UpdateRuntimeOnAuto,
	}
}

// configure writes a new function's configuration to its version.
func configure(v *version, in *api.CreateFunctionRequest) error {
	if in.Code == nil {
		in.Code = &api.FunctionCode{}
	}
	switch {
	case awsapi.Val(in.PackageType) == api.PackageTypeImage || in.Code.ImageUri != nil:
		return awsapi.NotImplemented.New("Cirro does not run functions from container images: give Code.ZipFile")
	case awsapi.Val(in.CodeSigningConfigArn) != "":
		return api.CodeSigningConfigNotFoundException.New("The code signing configuration cannot be found. Check that "+
			"the provided configuration is not deleted: %s.", *in.CodeSigningConfigArn).With("Type", "User")
	case in.PublishTo != nil:
		return noPublishTo()
	case in.Runtime == nil || in.Handler == nil:
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if in.Architectures != nil {
		arch, err := architecture(in.Architectures)
		if err != nil {
			return err
		}
		v.Architecture = arch
	}
	c := settings{in.Description, in.Runtime, in.Role, in.Handler, in.KMSKeyArn, in.Timeout, in.MemorySize,
		in.Environment, in.VpcConfig, in.DeadLetterConfig, in.TracingConfig, in.FileSystemConfigs, in.ImageConfig,
		in.EphemeralStorage, in.SnapStart, in.LoggingConfig, in.TenancyConfig, in.CapacityProviderConfig, in.DurableConfig}
	return c.apply(v)
}

// absent refuses a name that is taken, before a package is taken in for nothing.
func (s *Service) absent(ctx context.Context, ref reference) error {
	return s.Store.View(ctx, func(r store.Reader) error { return absent(r, ref) })
}

func absent(r store.Reader, ref reference) error {
	_, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name))
	if err == nil && found {
		return conflict("Function already exist: %s", ref.Name)
	}
	return err
}

// receive takes in the code of a function.
func (s *Service) receive(ctx context.Context, c *api.FunctionCode) (code, error) {
	switch {
	case c.ImageUri != nil:
		return code{}, awsapi.NotImplemented.New("Cirro does not run functions from container images: give Code.ZipFile")
	}
	if o := (packageObject{c.S3Bucket, c.S3Key, c.S3ObjectVersion}); o.given() {
		return s.receiveObject(ctx, o)
	}
	return s.receiveZip(ctx, c.ZipFile)
}

func noPublishTo() error {
	return awsapi.NotImplemented.New("Cirro publishes to numbered versions: leave PublishTo out")
}

// receiveZip takes in a zip, with Lambda's errors for what is wrong with it.
func (s *Service) receiveZip(ctx context.Context, zip []byte) (code, error) {
	if len(zip) > maxZipped {
		return code{}, requestEntityTooLarge.New("Zipped size must be smaller than %d bytes", maxZipped)
	}
	return s.receiveWhole(ctx, zip)
}

// receiveWhole is receiveZip of a zip that is small enough.
func (s *Service) receiveWhole(ctx context.Context, zip []byte) (code, error) {
	c, err := s.upload(ctx, zip, maxUnpacked-1)
	switch {
	case errors.Is(err, bundle.ErrEmpty):
		return code{}, invalid("Uploaded file must be a non-empty zip")
	case errors.Is(err, bundle.ErrTooLarge):
		return code{}, tooLargeUnpacked()
	case errors.Is(err, bundle.ErrUnreadable):
		return code{}, invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	return c, err
}

func tooLargeUnpacked() error {
	return invalid("Unzipped size must be smaller than %d bytes", maxUnpacked)
}

// create writes a new function, and its first version where publish says so, and returns the version
// to show.
func (s *Service) create(tx store.Tx, v version, tags map[string]string, publish bool, layers []string) (*version, error) {
	ref := reference{scope: v.scope, Name: v.Function}
	if err := absent(tx, ref); err != nil {
		return nil, err
	}
	if err := s.useLayers(tx, &v, layers); err != nil {
		return nil, err
	}
	now := s.Clock()
	f := function{scope: v.scope, Name: v.Function, Created: now, Tags: tags, Recursive: "Terminate"}
	v.SpecID, v.RevisionID, v.Modified = uuid.NewString(), uuid.NewString(), now
	v.State, v.StateReason, v.StateCode = api.StatePending, "The function is being created.", api.StateReasonCodeCreating
	if err := s.addVersion(tx, &v); err != nil {
		return nil, err
	}
	out := &v
	if publish {
		published, err := s.publish(tx, &f, &v, nil)
		if err != nil {
			return nil, err
		}
		out = published
	}
	return out, store.SetRecord(tx, functionKey(f.scope, f.Name), f)
}

// addVersion writes a version that is new, with its references, and sees to its activation.
func (s *Service) addVersion(tx store.Tx, v *version) error {
	for _, c := range v.codes() {
		if err := s.retain(tx, c); err != nil {
			return err
		}
	}
	return setVersion(tx, v)
}

// setVersion writes a version. One that is on its way is remembered until it arrived.
func setVersion(tx store.Tx, v *version) error {
	if v.State == api.StatePending || v.Update == api.LastUpdateStatusInProgress {
		if err := tx.Set(activationKey(v.scope, v.Function, v.Number), []byte{}); err != nil {
			return err
		}
	}
	return store.SetRecord(tx, versionKey(v.scope, v.Function, v.Number), *v)
}

// codes are the packages that a version is made of.
func (v *version) codes() []code {
	codes := []code{v.Code}
	for _, l := range v.Layers {
		codes = append(codes, l.Code)
	}
	return codes
}

// GetFunction returns a function's configuration and where its package can be had.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
func (s *Service) GetFunction(ctx context.Context, in *api.GetFunctionRequest) (*api.GetFunctionResponse, error) {
	out := &api.GetFunctionResponse{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		t, err := lookup(ctx, r, *in.FunctionName, awsapi.Val(in.Qualifier))
		if err != nil {
			return err
		}
		out.Configuration = t.version.shown(t.InvokedARN())
		out.Code = &api.FunctionCodeLocation{RepositoryType: new("S3"), Location: new(s.location(ctx, t.Code))}
		if len(t.Owner.Tags) > 0 {
			out.Tags = t.Owner.Tags
		}
		if t.Owner.Reserved != nil {
			out.Concurrency = &api.Concurrency{ReservedConcurrentExecutions: new(int32(*t.Owner.Reserved))}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// lookup is resolve for an operation on a function, which alone its own account may do.
func lookup(ctx context.Context, r store.Reader, name, qualifier string) (*target, error) {
	ref, err := own(ctx, name, qualifier)
	if err != nil {
		return nil, err
	}
	t, err := resolve(r, ref.Account, ref.Region, ref.Name, ref.Qualifier)
	if err != nil {
		return nil, err
	}
	if t.Alias != nil && t.Alias.Version != t.Number { // weights are for invocations alone
		v, found, err := store.GetRecord[version](r, versionKey(t.Owner.scope, t.Owner.Name, t.Alias.Version))
		if err != nil || !found {
			return nil, errors.Join(err, notFound("Function not found: %s", ref.ARN()))
		}
		t.version = &v
	}
	return t, nil
}

// own reads the name of a function of the caller's account.
func own(ctx context.Context, name, qualifier string) (reference, error) {
	in := scopeOf(ctx)
	ref, err := refer(in, name, qualifier)
	if err != nil {
		return ref, err
	}
	if ref.Account != in.Account {
		return ref, awsapi.AccessDenied.New("User: %s is not authorized to perform this operation on resource: %s because "+
			"no resource-based policy allows it", awsapi.RequestOf(ctx).Principal.ARN, ref.ARN())
	}
	return ref, nil
}

// functionOf reads the function that ref names, whatever its qualifier.
func functionOf(r store.Reader, ref reference) (*function, error) {
	f, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("Function not found: %s", ref.ARN())
	}
	return &f, nil
}

// versionOf reads one version.
func versionOf(r store.Reader, ref reference, number string) (*version, error) {
	v, found, err := store.GetRecord[version](r, versionKey(ref.scope, ref.Name, number))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("Function not found: %s", ref.arn("function", ref.Name, number))
	}
	return &v, nil
}

// GetFunctionConfiguration returns a function's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (s *Service) GetFunctionConfiguration(ctx context.Context, in *api.GetFunctionConfigurationRequest) (
	out *api.FunctionConfiguration, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := lookup(ctx, r, *in.FunctionName, awsapi.Val(in.Qualifier))
		if err != nil {
			return err
		}
		out = t.version.shown(t.InvokedARN())
		return nil
	})
	return out, err
}

// ListFunctions lists $LATEST of each function, or all versions.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
func (s *Service) ListFunctions(ctx context.Context, in *api.ListFunctionsRequest) (*api.ListFunctionsResponse, error) {
	here := scopeOf(ctx)
	all := awsapi.Val(in.FunctionVersion) == api.FunctionVersionAll
	out := &api.ListFunctionsResponse{Functions: []api.FunctionConfiguration{}}
	if m := awsapi.Val(in.MasterRegion); m != "" && m != "ALL" && m != here.Region {
		return out, nil // no function is replicated from elsewhere
	}
	err := s.Store.View(ctx, func(r store.Reader) error {
		versions, next, err := page(r, store.Prefix("lambda", "version", here.Account, here.Region), in.Marker, in.MaxItems,
			func(v *version) (bool, error) { return all || v.Number == latest, nil })
		for i := range versions {
			v := &versions[i]
			arn := v.arn("function", v.Function)
			if all {
				arn = v.ARN()
			}
			out.Functions = append(out.Functions, v.listed(arn))
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
