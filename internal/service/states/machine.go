package states

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"cirro/internal/asl"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// machine is a state machine.
type machine struct {
	Name       string
	Type       string
	Created    time.Time
	Revision   string // the present one
	Logging    *api.LoggingConfiguration
	Tracing    bool
	Encryption *api.EncryptionConfiguration
	Tags       map[string]string
	Versions   int64 // numbers given
}

// revision is a definition of a state machine, with the role that its executions have.
type revision struct {
	Definition string
	Role       string
	Updated    time.Time
	Logging    *api.LoggingConfiguration
	Tracing    bool
	Encryption *api.EncryptionConfiguration
}

// set reports whether a revision has the settings of another.
func (r *revision) set(as *revision) bool {
	return r.Tracing == as.Tracing && reflect.DeepEqual(logging(r.Logging), logging(as.Logging)) && reflect.DeepEqual(encryption(r.Encryption), encryption(as.Encryption))
}

func machineKey(s scope, name string) []byte {
	return store.Key("states", "machine", s.Account, s.Region, name)
}

func revisionKey(id string) []byte { return store.Key("states", "revision", id) }

func (s scope) arn(kind, rest string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:%s:%s", s.Region, s.Account, kind, rest)
}

// resource is what an ARN of the service names.
type resource struct {
	scope
	Kind string // stateMachine, execution, express, activity, mapRun
	Rest string
}

// parseARN reads an ARN of one of the kinds.
func parseARN(arn string, kinds ...string) (resource, error) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) == 7 && parts[0] == "arn" && parts[2] == "states" {
		for _, kind := range kinds {
			if parts[5] == kind {
				return resource{scope{parts[4], parts[3]}, kind, parts[6]}, nil
			}
		}
	}
	return resource{}, api.InvalidArn.New("Invalid Arn: 'Invalid ARN prefix: %s'", arn)
}

// validName is what names of machines, activities and executions are made of.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html#API_CreateStateMachine_RequestParameters
var invalidName = regexp.MustCompile(`[\s<>{}\[\]?*"#%\\^|~` + "`" + `$&,;:/\x00-\x1f\x7f-\x9f]`)

func checkName(name string) error {
	if invalidName.MatchString(name) {
		return api.InvalidName.New("Invalid Name: '%s'", name)
	}
	return nil
}

// checked parses a definition, or says what is wrong with it as CreateStateMachine does.
func (s *Service) checked(name, definition, kind string) (*asl.Machine, error) {
	m, diagnostics := s.check(name, definition, kind)
	if m == nil {
		all := make([]string, len(diagnostics))
		for i, d := range diagnostics {
			all[i] = d.String()
		}
		return nil, api.InvalidDefinition.New("Invalid State Machine Definition: '%s'", strings.Join(all, ", "))
	}
	return m, nil
}

// CreateStateMachine makes a state machine. The same request again answers as the first did.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
func (s *Service) CreateStateMachine(ctx context.Context, in *api.CreateStateMachineInput) (*api.CreateStateMachineOutput, error) {
	if err := checkName(*in.Name); err != nil {
		return nil, err
	}
	kind := api.StateMachineTypeStandard
	if in.Type != nil {
		kind = *in.Type
	}
	parsed, err := s.checked(*in.Name, *in.Definition, kind)
	if err != nil {
		return nil, err
	}
	if in.VersionDescription != nil && !awsapi.Val(in.Publish) {
		return nil, errDescription
	}
	if err := checkLogging(in.LoggingConfiguration); err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags, *in.Name); err != nil {
		return nil, err
	}
	at := scopeOf(ctx)
	out := &api.CreateStateMachineOutput{StateMachineArn: new(at.arn("stateMachine", *in.Name))}
	m := machine{Name: *in.Name, Type: kind, Created: s.Clock(), Revision: uuid.NewString(), Logging: in.LoggingConfiguration,
		Tracing: in.TracingConfiguration != nil && awsapi.Val(in.TracingConfiguration.Enabled), Encryption: in.EncryptionConfiguration, Tags: tagsOf(in.Tags)}
	r := revision{*in.Definition, *in.RoleArn, m.Created, m.Logging, m.Tracing, m.Encryption}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		known, found, err := store.GetRecord[machine](tx, machineKey(at, m.Name))
		if err != nil {
			return err
		}
		if found {
			was, _, err := store.GetRecord[revision](tx, revisionKey(known.Revision))
			if err != nil {
				return err
			}
			if was.Definition != r.Definition || known.Type != m.Type || !was.set(&r) { // the role and the tags stay as they were
				return api.StateMachineAlreadyExists.New("State Machine Already Exists: '%s'", at.arn("stateMachine", m.Name))
			}
			out.CreationDate = &known.Created
			if awsapi.Val(in.Publish) {
				return s.published(tx, at, &known, in.VersionDescription, &out.StateMachineVersionArn)
			}
			return nil
		}
		if err := store.SetRecord(tx, revisionKey(m.Revision), r); err != nil {
			return err
		}
		made := m
		out.CreationDate = &made.Created
		if awsapi.Val(in.Publish) {
			return s.published(tx, at, &made, in.VersionDescription, &out.StateMachineVersionArn)
		}
		return store.SetRecord(tx, machineKey(at, m.Name), made)
	})
	if err != nil {
		return nil, err
	}
	s.machines.put(m.Revision, parsed)
	return out, nil
}

var errDescription = api.ValidationException.New("Version description can only be set when publish is true")

// published publishes a version in passing.
func (s *Service) published(tx store.Tx, at scope, m *machine, description *string, arn **string) error {
	v, err := publish(tx, at, m, awsapi.Val(description), s.Clock())
	*arn = new(v.arn(at, m.Name))
	return err
}

// check parses a definition and looks whether what its tasks name is there, or is mocked in tests of the machine.
func (s *Service) check(name, definition, kind string) (*asl.Machine, []asl.Diagnostic) {
	m, diagnostics := asl.Parse([]byte(definition))
	if m == nil {
		return nil, diagnostics
	}
	for at, state := range m.All() {
		if state.Type != asl.Task {
			continue
		}
		problem := s.checkResource(state.Resource, kind == api.StateMachineTypeExpress)
		if problem != "" && !(strings.HasPrefix(problem, notImplemented) && s.Mocks.Mocks(name, state.Name)) {
			diagnostics = append(diagnostics, asl.Diagnostic{Severity: "ERROR", Code: "SCHEMA_VALIDATION_FAILED", Message: problem, Location: at + "/Resource"})
		}
	}
	if len(diagnostics) > 0 {
		return nil, diagnostics
	}
	return m, nil
}

// machineOf finds the parsed machine of an execution, for the engine.
func (s *Service) machineOf(r engine.Tx, run *engine.Run) (*asl.Machine, error) {
	if m := s.machines.get(run.Revision); m != nil {
		return m, nil
	}
	rev, found, err := store.GetRecord[revision](r, revisionKey(run.Revision))
	if err == nil && !found { // an execution in memory has no definition of its own
		err = s.Store.View(s.ctx, func(r store.Reader) error {
			rev, found, err = store.GetRecord[revision](r, revisionKey(run.Revision))
			return err
		})
	}
	if err != nil || !found {
		return nil, fmt.Errorf("states: the definition of %s is missing: %w", run.ARN, err)
	}
	return s.parsed(run.Revision, rev.Definition)
}

// parsed is the machine of a revision.
func (s *Service) parsed(revision, definition string) (*asl.Machine, error) {
	if m := s.machines.get(revision); m != nil {
		return m, nil
	}
	m, diagnostics := asl.Parse([]byte(definition))
	if m == nil {
		return nil, fmt.Errorf("states: the definition of revision %s is damaged: %v", revision, diagnostics)
	}
	s.machines.put(revision, m)
	return m, nil
}

// find reads the state machine that an ARN names, with its present revision.
func find(r store.Reader, res resource) (m machine, rev revision, err error) {
	m, found, err := store.GetRecord[machine](r, machineKey(res.scope, res.Rest))
	if err != nil {
		return m, rev, err
	}
	if !found {
		return m, rev, api.StateMachineDoesNotExist.New("State Machine Does Not Exist: '%s'", res.arn(res.Kind, res.Rest))
	}
	rev, _, err = store.GetRecord[revision](r, revisionKey(m.Revision))
	return m, rev, err
}

// DescribeStateMachine tells what a state machine is.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html
func (s *Service) DescribeStateMachine(ctx context.Context, in *api.DescribeStateMachineInput) (out *api.DescribeStateMachineOutput, err error) {
	res, err := parseARN(*in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		c, err := choose(r, res, anyRoute)
		if err != nil {
			return err
		}
		parsed, err := s.parsed(c.ID, c.Definition)
		if err != nil {
			return err
		}
		m := c.machine
		out = &api.DescribeStateMachineOutput{VariableReferences: parsed.References, StateMachineArn: in.StateMachineArn, Name: &m.Name, Status: new(api.StateMachineStatusActive),
			Definition: &c.Definition, RoleArn: &c.Role, Type: &m.Type, CreationDate: &c.Created, LoggingConfiguration: logging(c.revision.Logging),
			TracingConfiguration: &api.TracingConfiguration{Enabled: &c.revision.Tracing}, Description: some(c.Description), EncryptionConfiguration: encryption(c.revision.Encryption)}
		if !c.Updated.Equal(m.Created) { // a machine's first revision has no id to its user
			out.RevisionId = &c.ID
		}
		if awsapi.Val(in.IncludedData) == api.IncludedDataMetadataOnly {
			out.Definition, out.VariableReferences = nil, nil
		}
		return nil
	})
	return out, err
}

// checkEncryption says what is wrong with an encryption configuration.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_EncryptionConfiguration.html
func checkEncryption(e *api.EncryptionConfiguration) error {
	if e == nil {
		return nil
	}
	switch has := awsapi.Val(e.KmsKeyId) != ""; {
	case *e.Type == api.EncryptionTypeCustomerManagedKmsKey && !has:
		return api.InvalidEncryptionConfiguration.New("Invalid Encryption Configuration: kmsKeyId must be set when the type is CUSTOMER_MANAGED_KMS_KEY")
	case *e.Type == api.EncryptionTypeAwsOwnedKey && (has || e.KmsDataKeyReusePeriodSeconds != nil):
		return api.InvalidEncryptionConfiguration.New("Invalid Encryption Configuration: kmsKeyId and kmsDataKeyReusePeriodSeconds must not be set when the type is AWS_OWNED_KEY")
	}
	return nil
}

func logging(l *api.LoggingConfiguration) *api.LoggingConfiguration {
	if l == nil {
		return &api.LoggingConfiguration{Level: new(api.LogLevelOff), IncludeExecutionData: new(false)}
	}
	return l
}

func encryption(e *api.EncryptionConfiguration) *api.EncryptionConfiguration {
	if e == nil {
		return &api.EncryptionConfiguration{Type: new(api.EncryptionTypeAwsOwnedKey)}
	}
	return e
}

// UpdateStateMachine gives a state machine a new definition or other settings. Executions under way keep theirs.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html
func (s *Service) UpdateStateMachine(ctx context.Context, in *api.UpdateStateMachineInput) (*api.UpdateStateMachineOutput, error) {
	res, err := unqualified(*in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	if in.VersionDescription != nil && !awsapi.Val(in.Publish) {
		return nil, errDescription
	}
	if in.Definition == nil && in.RoleArn == nil && in.LoggingConfiguration == nil && in.TracingConfiguration == nil && in.EncryptionConfiguration == nil {
		return nil, api.MissingRequiredParameter.New("Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	if err := checkLogging(in.LoggingConfiguration); err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	now, id := s.Clock(), uuid.NewString()
	out := &api.UpdateStateMachineOutput{UpdateDate: &now, RevisionId: &id}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		m, rev, err := find(tx, res)
		if err != nil {
			return err
		}
		if in.Definition != nil {
			if _, err := s.checked(m.Name, *in.Definition, m.Type); err != nil {
				return err
			}
			rev.Definition = *in.Definition
		}
		if in.RoleArn != nil {
			rev.Role = *in.RoleArn
		}
		if in.LoggingConfiguration != nil {
			m.Logging = in.LoggingConfiguration
		}
		if in.TracingConfiguration != nil {
			m.Tracing = awsapi.Val(in.TracingConfiguration.Enabled)
		}
		if in.EncryptionConfiguration != nil {
			m.Encryption = in.EncryptionConfiguration
		}
		m.Revision, rev.Updated = id, now
		rev.Logging, rev.Tracing, rev.Encryption = m.Logging, m.Tracing, m.Encryption
		if err := store.SetRecord(tx, revisionKey(id), rev); err != nil {
			return err
		}
		if awsapi.Val(in.Publish) {
			return s.published(tx, res.scope, &m, in.VersionDescription, &out.StateMachineVersionArn)
		}
		return store.SetRecord(tx, machineKey(res.scope, res.Rest), m)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteStateMachine removes a state machine with its versions and aliases. Executions under way run on; a machine
// that is not there is no error.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
func (s *Service) DeleteStateMachine(ctx context.Context, in *api.DeleteStateMachineInput) (*api.DeleteStateMachineOutput, error) {
	res, err := unqualified(*in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		for _, kind := range []string{"version", "alias"} {
			all := store.Prefix("states", kind, res.Account, res.Region, res.Rest)
			if err := tx.DeleteRange(all.Start, all.End); err != nil {
				return err
			}
		}
		return tx.Delete(machineKey(res.scope, res.Rest))
	})
	return &api.DeleteStateMachineOutput{}, err
}

// ListStateMachines lists an account's state machines by name.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachines.html
func (s *Service) ListStateMachines(ctx context.Context, in *api.ListStateMachinesInput) (*api.ListStateMachinesOutput, error) {
	at := scopeOf(ctx)
	span, limit, err := pageOf(store.Prefix("states", "machine", at.Account, at.Region), in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListStateMachinesOutput{StateMachines: []api.StateMachineListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		list, last, err := store.Page[machine](r, span, limit, nil)
		for _, m := range list {
			out.StateMachines = append(out.StateMachines, api.StateMachineListItem{StateMachineArn: new(at.arn("stateMachine", m.Name)),
				Name: &m.Name, Type: &m.Type, CreationDate: &m.Created})
		}
		out.NextToken = tokenOf(last)
		return err
	})
	return out, err
}
