package lambda

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// layer is what is known of a layer apart from its versions. It outlives them, so that no version's
// number is used twice.
type layer struct {
	scope
	Name        string
	LastVersion int
	Versions    int // that exist
}

// layerVersion is one version of a layer, with its resource policy.
type layerVersion struct {
	scope
	Layer         string
	Number        int
	Description   string
	License       string
	Runtimes      []string
	Architectures []string
	Created       time.Time
	Code          code
	Policy        []statement
	PolicyID      string // revision of the policy
}

// ARN is the version's.
func (v *layerVersion) ARN() string { return v.arn("layer", v.Layer, strconv.Itoa(v.Number)) }

func layerKey(s scope, name string) []byte {
	return store.Key("lambda", "layer", s.Account, s.Region, name)
}

// layerVersionKey sorts the newest version first.
func layerVersionKey(s scope, name string, number int) []byte {
	return store.Key("lambda", "layer-version", s.Account, s.Region, name, -number)
}

const layerARNPattern = `(arn:[a-zA-Z0-9-]+:lambda:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)` +
	`|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`

var layerARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:([a-z]{2}(?:-[a-z]+)+-\d):(\d{12}):layer:([a-zA-Z0-9_-]+)(?::([0-9]+))?$`)

// layerReference names a layer, and a version of it where number is above 0.
type layerReference struct {
	scope
	Name   string
	Number int
}

func (l layerReference) ARN() string { return l.arn("layer", l.Name, strconv.Itoa(l.Number)) }

// referLayer reads the name or the ARN of a layer.
func referLayer(in scope, nameOrARN string) layerReference {
	m := layerARN.FindStringSubmatch(nameOrARN)
	if m == nil {
		return layerReference{scope: in, Name: nameOrARN}
	}
	number, _ := strconv.Atoi(m[4])
	return layerReference{scope: scope{Region: m[1], Account: m[2]}, Name: m[3], Number: number}
}

// PublishLayerVersion makes a layer's next version of a zip.
// https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
func (s *Service) PublishLayerVersion(ctx context.Context, in *api.PublishLayerVersionRequest) (
	*api.PublishLayerVersionResponse, error,
) {
	here := scopeOf(ctx)
	ref := referLayer(here, *in.LayerName)
	if ref.scope != here {
		return nil, awsapi.AccessDenied.New("User: %s is not authorized to perform: lambda:PublishLayerVersion on resource: %s",
			awsapi.RequestOf(ctx).Principal.ARN, *in.LayerName)
	}
	if in.Content == nil {
		in.Content = &api.LayerVersionContentInput{}
	}
	c, err := s.receiveLayer(ctx, in.Content)
	if err != nil {
		return nil, err
	}
	v := layerVersion{scope: here, Layer: ref.Name, Description: awsapi.Val(in.Description), License: awsapi.Val(in.LicenseInfo),
		Runtimes: in.CompatibleRuntimes, Architectures: in.CompatibleArchitectures, Created: s.Clock(), Code: c}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		l, _, err := store.GetRecord[layer](tx, layerKey(here, ref.Name))
		if err != nil {
			return err
		}
		l.scope, l.Name = here, ref.Name
		l.LastVersion++
		l.Versions++
		v.Number = l.LastVersion
		if err := s.retain(tx, c); err != nil {
			return err
		}
		if err := store.SetRecord(tx, layerVersionKey(here, ref.Name, v.Number), v); err != nil {
			return err
		}
		return store.SetRecord(tx, layerKey(here, ref.Name), l)
	})
	if err != nil {
		s.discard(c)
		return nil, err
	}
	return (*api.PublishLayerVersionResponse)(s.layerShown(ctx, &v)), nil
}

// receiveLayer takes in a layer's content.
func (s *Service) receiveLayer(ctx context.Context, in *api.LayerVersionContentInput) (code, error) {
	if o := (packageObject{in.S3Bucket, in.S3Key, in.S3ObjectVersion}); o.given() {
		return s.receiveObject(ctx, o)
	}
	return s.receiveZip(ctx, in.ZipFile)
}

func (s *Service) layerShown(ctx context.Context, v *layerVersion) *api.GetLayerVersionResponse {
	i := v.listed()
	return &api.GetLayerVersionResponse{
		Content: &api.LayerVersionContentOutput{Location: new(s.location(ctx, v.Code)),
			CodeSha256: new(v.Code.sha256Base64()), CodeSize: &v.Code.Size},
		LayerArn: new(v.arn("layer", v.Layer)), LayerVersionArn: i.LayerVersionArn, Description: i.Description,
		CreatedDate: i.CreatedDate, Version: i.Version, CompatibleRuntimes: i.CompatibleRuntimes,
		LicenseInfo: i.LicenseInfo, CompatibleArchitectures: i.CompatibleArchitectures,
	}
}

func (v *layerVersion) listed() api.LayerVersionsListItem {
	return api.LayerVersionsListItem{LayerVersionArn: new(v.ARN()), Version: new(int64(v.Number)), Description: &v.Description,
		CreatedDate: timestamp(v.Created), CompatibleRuntimes: v.Runtimes, LicenseInfo: text(v.License),
		CompatibleArchitectures: v.Architectures}
}

// GetLayerVersion returns a layer's version and where its content can be had.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersion.html
func (s *Service) GetLayerVersion(ctx context.Context, in *api.GetLayerVersionRequest) (*api.GetLayerVersionResponse, error) {
	if *in.VersionNumber < 1 {
		return nil, invalid("Layer Version Cannot be less than 1")
	}
	ref := referLayer(scopeOf(ctx), *in.LayerName)
	ref.Number = int(*in.VersionNumber)
	return s.getLayer(ctx, ref)
}

// GetLayerVersionByArn is GetLayerVersion by the version's ARN.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html
func (s *Service) GetLayerVersionByArn(ctx context.Context, in *api.GetLayerVersionByArnRequest) (*api.GetLayerVersionResponse, error) {
	ref := referLayer(scopeOf(ctx), *in.Arn)
	if ref.Number == 0 {
		return nil, awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'arn' failed to satisfy "+
			"constraint: Member must satisfy regular expression pattern: %s", *in.Arn, layerARNPattern)
	}
	return s.getLayer(ctx, ref)
}

func (s *Service) getLayer(ctx context.Context, ref layerReference) (out *api.GetLayerVersionResponse, err error) {
	in := scopeOf(ctx)
	err = s.Store.View(ctx, func(r store.Reader) error {
		v, found, err := store.GetRecord[layerVersion](r, layerVersionKey(ref.scope, ref.Name, ref.Number))
		if err != nil {
			return err
		}
		if ref.Account != in.Account && !(found && v.shared(in.Account)) {
			return layerDenied(ctx, ref)
		}
		if !found {
			return notFound("The resource you requested does not exist.")
		}
		out = s.layerShown(ctx, &v)
		return nil
	})
	return out, err
}

func layerDenied(ctx context.Context, ref layerReference) error {
	return awsapi.AccessDenied.New("User: %s is not authorized to perform: lambda:GetLayerVersion on resource: %s because no "+
		"resource-based policy allows the lambda:GetLayerVersion action", awsapi.RequestOf(ctx).Principal.ARN, ref.ARN())
}

// shared reports whether the policy lets another account use the version.
func (v *layerVersion) shared(account string) bool {
	for _, st := range v.Policy {
		if st.Condition == nil && st.allows(account) {
			return true
		}
	}
	return false
}

// ListLayers lists the layers, each with its newest version that matches.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html
func (s *Service) ListLayers(ctx context.Context, in *api.ListLayersRequest) (*api.ListLayersResponse, error) {
	here := scopeOf(ctx)
	out := &api.ListLayersResponse{Layers: []api.LayersListItem{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		newest := map[string]layerVersion{}
		layers, next, err := page(r, store.Prefix("lambda", "layer", here.Account, here.Region), in.Marker, in.MaxItems,
			func(l *layer) (bool, error) {
				for v, err := range store.Records[layerVersion](r, store.Prefix("lambda", "layer-version", here.Account, here.Region, l.Name)) {
					if err != nil {
						return false, err
					}
					if v.fits(in.CompatibleRuntime, in.CompatibleArchitecture) {
						newest[l.Name] = v
						return true, nil
					}
				}
				return false, nil
			})
		for _, l := range layers {
			v := newest[l.Name]
			out.Layers = append(out.Layers, api.LayersListItem{LayerName: new(l.Name), LayerArn: new(l.arn("layer", l.Name)),
				LatestMatchingVersion: new(v.listed())})
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// fits reports whether a version is for the runtime and the architecture, nil standing for any.
func (v *layerVersion) fits(runtime, architecture *string) bool {
	return (runtime == nil || slices.Contains(v.Runtimes, *runtime)) &&
		(architecture == nil || slices.Contains(v.Architectures, *architecture))
}

// ListLayerVersions lists a layer's versions, the newest first.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListLayerVersions.html
func (s *Service) ListLayerVersions(ctx context.Context, in *api.ListLayerVersionsRequest) (*api.ListLayerVersionsResponse, error) {
	ref := referLayer(scopeOf(ctx), *in.LayerName)
	out := &api.ListLayerVersionsResponse{LayerVersions: []api.LayerVersionsListItem{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		over := store.Prefix("lambda", "layer-version", ref.Account, ref.Region, ref.Name)
		versions, next, err := page(r, over, in.Marker, in.MaxItems, func(v *layerVersion) (bool, error) {
			return v.fits(in.CompatibleRuntime, in.CompatibleArchitecture), nil
		})
		for i := range versions {
			out.LayerVersions = append(out.LayerVersions, versions[i].listed())
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteLayerVersion deletes a layer's version, which functions that use it keep; one that is not
// there is no error. https://docs.aws.amazon.com/lambda/latest/api/API_DeleteLayerVersion.html
func (s *Service) DeleteLayerVersion(ctx context.Context, in *api.DeleteLayerVersionRequest) (*api.DeleteLayerVersionOutput, error) {
	if *in.VersionNumber < 1 {
		return nil, invalid("Layer Version Cannot be less than 1")
	}
	ref := referLayer(scopeOf(ctx), *in.LayerName)
	if ref.Account != scopeOf(ctx).Account {
		return nil, awsapi.AccessDenied.New("User: %s is not authorized to perform: lambda:DeleteLayerVersion on resource: %s",
			awsapi.RequestOf(ctx).Principal.ARN, *in.LayerName)
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		key := layerVersionKey(ref.scope, ref.Name, int(*in.VersionNumber))
		v, found, err := store.GetRecord[layerVersion](tx, key)
		if err != nil || !found {
			return err
		}
		l, _, err := store.GetRecord[layer](tx, layerKey(ref.scope, ref.Name))
		if err != nil {
			return err
		}
		l.Versions--
		if err := store.SetRecord(tx, layerKey(ref.scope, ref.Name), l); err != nil {
			return err
		}
		if err := s.release(tx, v.Code); err != nil {
			return err
		}
		return tx.Delete(key)
	})
	if err != nil {
		return nil, err
	}
	s.sweepSoon()
	return &api.DeleteLayerVersionOutput{}, nil
}

// useLayers checks the layers that a version of a function asks for and writes them to it. The
// references are the caller's to take.
func (s *Service) useLayers(r store.Reader, v *version, arns []string) error {
	if len(arns) > maxLayers {
		return invalid("Cannot reference more than %d layers.", maxLayers)
	}
	uses, seen := []layerUse{}, map[string]string{}
	for _, arn := range arns {
		ref := referLayer(v.scope, arn)
		if ref.Number == 0 {
			return awsapi.ValidationException.New("1 validation error detected: Value '[%s]' at 'layers' failed to satisfy "+
				"constraint: Member must satisfy constraint: [Member must have length less than or equal to 140, Member must have "+
				"length greater than or equal to 1, Member must satisfy regular expression pattern: %s, Member must not be null]",
				arn, layerARNPattern)
		}
		use, err := layerFor(r, v.scope, ref)
		if err != nil {
			return err
		}
		name := ref.Account + ":" + ref.Name
		if other, twice := seen[name]; twice {
			return invalid("Two different versions of the same layer are not allowed to be referenced in the same function. "+
				"%s and %s are versions of the same layer.", other, arn)
		}
		seen[name] = arn
		uses = append(uses, use)
	}
	v.Layers = uses
	return v.checkUnpacked()
}

// layerFor finds a layer's version for a function in the given scope.
func layerFor(r store.Reader, in scope, ref layerReference) (layerUse, error) {
	denied := awsapi.AccessDenied.New("User: arn:aws:iam::%s:root is not authorized to perform: lambda:GetLayerVersion on "+
		"resource: %s because no resource-based policy allows the lambda:GetLayerVersion action", in.Account, ref.ARN())
	if ref.Region != in.Region {
		if ref.Account != in.Account {
			return layerUse{}, denied
		}
		return layerUse{}, invalid("Layers are not in the same region as the function. Layers are expected to be in region %s.", in.Region)
	}
	v, found, err := store.GetRecord[layerVersion](r, layerVersionKey(ref.scope, ref.Name, ref.Number))
	switch {
	case err != nil:
		return layerUse{}, err
	case ref.Account != in.Account && !(found && v.shared(in.Account)):
		return layerUse{}, denied
	case !found:
		return layerUse{}, invalid("Layer version %s does not exist.", ref.ARN())
	}
	return layerUse{ARN: ref.ARN(), Code: v.Code}, nil
}

// AddLayerVersionPermission lets others use a layer's version.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html
func (s *Service) AddLayerVersionPermission(ctx context.Context, in *api.AddLayerVersionPermissionRequest) (
	out *api.AddLayerVersionPermissionResponse, err error,
) {
	if *in.Action != "lambda:GetLayerVersion" {
		return nil, awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'action' failed to satisfy "+
			"constraint: Member must satisfy regular expression pattern: lambda:GetLayerVersion", *in.Action)
	}
	err = s.changeLayerPolicy(ctx, *in.LayerName, *in.VersionNumber, in.RevisionId, func(v *layerVersion) error {
		if slices.ContainsFunc(v.Policy, func(st statement) bool { return st.Sid == *in.StatementId }) {
			return statementExists(*in.StatementId)
		}
		st := statement{Sid: *in.StatementId, Effect: "Allow", Principal: layerPrincipal(*in.Principal), Action: *in.Action, Resource: v.ARN()}
		if in.OrganizationId != nil {
			st.Condition = condition{"StringEquals": {"aws:PrincipalOrgID": *in.OrganizationId}}
		}
		v.Policy = append(v.Policy, st)
		v.PolicyID = uuid.NewString()
		out = &api.AddLayerVersionPermissionResponse{Statement: new(st.String()), RevisionId: new(v.PolicyID)}
		return nil
	})
	return out, err
}

// layerPrincipal is the principal of a layer's policy: all, or an account.
func layerPrincipal(p string) any {
	if p == "*" {
		return p
	}
	if digits.MatchString(p) {
		p = fmt.Sprintf("arn:aws:iam::%s:root", p)
	}
	return map[string]any{"AWS": p}
}

// RemoveLayerVersionPermission takes a permission back.
// https://docs.aws.amazon.com/lambda/latest/api/API_RemoveLayerVersionPermission.html
func (s *Service) RemoveLayerVersionPermission(ctx context.Context, in *api.RemoveLayerVersionPermissionRequest) (
	*api.RemoveLayerVersionPermissionOutput, error,
) {
	err := s.changeLayerPolicy(ctx, *in.LayerName, *in.VersionNumber, in.RevisionId, func(v *layerVersion) error {
		i := slices.IndexFunc(v.Policy, func(st statement) bool { return st.Sid == *in.StatementId })
		if i < 0 {
			return statementMissing(*in.StatementId)
		}
		v.Policy = slices.Delete(v.Policy, i, i+1)
		v.PolicyID = uuid.NewString()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemoveLayerVersionPermissionOutput{}, nil
}

// GetLayerVersionPolicy returns the policy of a layer's version.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionPolicy.html
func (s *Service) GetLayerVersionPolicy(ctx context.Context, in *api.GetLayerVersionPolicyRequest) (
	out *api.GetLayerVersionPolicyResponse, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		v, err := ownLayerVersion(ctx, r, *in.LayerName, *in.VersionNumber)
		if err != nil {
			return err
		}
		if len(v.Policy) == 0 {
			return notFound("No policy is associated with the given resource.")
		}
		out = &api.GetLayerVersionPolicyResponse{Policy: new(document(v.Policy)), RevisionId: &v.PolicyID}
		return nil
	})
	return out, err
}

func ownLayerVersion(ctx context.Context, r store.Reader, name string, number int64) (*layerVersion, error) {
	ref := referLayer(scopeOf(ctx), name)
	ref.Number = int(number)
	if ref.Account != scopeOf(ctx).Account {
		return nil, awsapi.AccessDenied.New("User: %s is not authorized to change or read the policy of %s",
			awsapi.RequestOf(ctx).Principal.ARN, ref.ARN())
	}
	v, found, err := store.GetRecord[layerVersion](r, layerVersionKey(ref.scope, ref.Name, ref.Number))
	if err != nil || !found {
		return nil, orNotFound(err, "Layer version %s does not exist.", ref.ARN())
	}
	return &v, nil
}

func (s *Service) changeLayerPolicy(ctx context.Context, name string, number int64, revision *string,
	f func(*layerVersion) error,
) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := ownLayerVersion(ctx, tx, name, number)
		if err != nil {
			return err
		}
		if revision != nil && *revision != "" && *revision != v.PolicyID {
			return api.PreconditionFailedException.New("The Revision Id provided does not match the latest Revision Id. "+
				"Call the GetLayerPolicy API to retrieve the latest Revision Id").With("Type", "User")
		}
		if err := f(v); err != nil {
			return err
		}
		return store.SetRecord(tx, layerVersionKey(v.scope, v.Layer, v.Number), *v)
	})
}
