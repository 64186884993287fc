package states

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/store"
)

// version is a revision of a state machine that keeps its number for ever.
type version struct {
	Number      int64
	Revision    string
	Description string
	Created     time.Time
}

func versionKey(at scope, name string, number int64) []byte {
	return store.Key("states", "version", at.Account, at.Region, name, number)
}

// split takes a qualifier, a version's number or an alias, from the name of a state machine; "" for none.
func (r resource) split() (name, qualifier string) {
	name, qualifier, _ = strings.Cut(r.Rest, ":")
	return name, qualifier
}

// unqualified checks that an ARN names a state machine itself.
func unqualified(arn string) (resource, error) {
	res, err := parseARN(arn, "stateMachine")
	if err == nil && strings.Contains(res.Rest, ":") {
		err = api.ValidationException.New("Expected a state machine ARN, but received: %s", arn)
	}
	return res, err
}

// publish makes a version of a machine's present revision; one that was published already is the same version.
func publish(tx store.Tx, at scope, m *machine, description string, now time.Time) (version, error) {
	if m.Versions > 0 {
		last, found, err := store.GetRecord[version](tx, versionKey(at, m.Name, m.Versions))
		if err != nil || found && last.Revision == m.Revision {
			return last, err
		}
	}
	m.Versions++
	v := version{m.Versions, m.Revision, description, now}
	if err := store.SetRecord(tx, versionKey(at, m.Name, v.Number), v); err != nil {
		return v, err
	}
	return v, store.SetRecord(tx, machineKey(at, m.Name), *m)
}

func (v version) arn(at scope, name string) string {
	return at.arn("stateMachine", name+":"+strconv.FormatInt(v.Number, 10))
}

// PublishStateMachineVersion makes a version of a state machine as it is.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html
func (s *Service) PublishStateMachineVersion(ctx context.Context, in *api.PublishStateMachineVersionInput) (*api.PublishStateMachineVersionOutput, error) {
	res, err := unqualified(*in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	var v version
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		m, _, err := find(tx, res)
		if err != nil {
			return err
		}
		if in.RevisionId != nil && *in.RevisionId != m.Revision {
			return api.ConflictException.New("Failed to publish the State Machine version for revision %s. The current State Machine revision is %s.",
				*in.RevisionId, m.Revision)
		}
		v, err = publish(tx, res.scope, &m, awsapi.Val(in.Description), s.Clock())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.PublishStateMachineVersionOutput{CreationDate: &v.Created, StateMachineVersionArn: new(v.arn(res.scope, res.Rest))}, nil
}

// ListStateMachineVersions lists the versions of a state machine, the latest first.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html
func (s *Service) ListStateMachineVersions(ctx context.Context, in *api.ListStateMachineVersionsInput) (*api.ListStateMachineVersionsOutput, error) {
	res, err := unqualified(*in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	span := store.Prefix("states", "version", res.Account, res.Region, res.Rest)
	span.Reverse = true
	span, limit, err := pageOf(span, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListStateMachineVersionsOutput{StateMachineVersions: []api.StateMachineVersionListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		list, last, err := store.Page[version](r, span, limit, nil)
		for _, v := range list {
			out.StateMachineVersions = append(out.StateMachineVersions, api.StateMachineVersionListItem{
				StateMachineVersionArn: new(v.arn(res.scope, res.Rest)), CreationDate: &v.Created})
		}
		out.NextToken = tokenOf(last)
		return err
	})
	return out, err
}

// DeleteStateMachineVersion removes a version that no alias leads to; one that is not there is no error.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineVersion.html
func (s *Service) DeleteStateMachineVersion(ctx context.Context, in *api.DeleteStateMachineVersionInput) (*api.DeleteStateMachineVersionOutput, error) {
	res, err := parseARN(*in.StateMachineVersionArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	name, qualifier := res.split()
	number, err := strconv.ParseInt(qualifier, 10, 64)
	if err != nil {
		return nil, api.InvalidArn.New("Invalid Arn: 'Invalid state machine version ARN: %s'", *in.StateMachineVersionArn)
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var leading []string
		for a, err := range store.Records[alias](tx, store.Prefix("states", "alias", res.Account, res.Region, name)) {
			if err != nil {
				return err
			}
			if a.Routes[0].Version == number || len(a.Routes) > 1 && a.Routes[1].Version == number {
				leading = append(leading, a.Name)
			}
		}
		if len(leading) > 0 {
			return api.ConflictException.New("Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [%s]",
				strings.Join(leading, ", "))
		}
		return tx.Delete(versionKey(res.scope, name, number))
	})
	return &api.DeleteStateMachineVersionOutput{}, err
}

// chosen is the revision of a machine that a request means.
type chosen struct {
	machine
	revision
	ID             string // of the revision
	Description    string
	Created        time.Time
	Version, Alias string // ARNs; "" for none
}

// choose finds the revision that an ARN means: a version's, one of an alias's by their weights, or else the
// present one. pick is a number from 0 to 99.
func choose(r store.Reader, res resource, pick func() int64) (c chosen, err error) {
	name, qualifier := res.split()
	if strings.Contains(name, "/") { // https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html
		return c, api.ValidationException.New("Expected a state machine ARN, but received that of a Distributed Map state: %s", res.arn(res.Kind, res.Rest))
	}
	c.machine, c.revision, err = find(r, resource{res.scope, res.Kind, name})
	if err != nil {
		return c, missingMachine(err, res)
	}
	c.ID, c.Created = c.machine.Revision, c.machine.Created
	if qualifier == "" {
		return c, nil
	}
	number, err := strconv.ParseInt(qualifier, 10, 64)
	if err != nil {
		a, found, err := store.GetRecord[alias](r, aliasKey(res.scope, name, qualifier))
		if err != nil {
			return c, err
		}
		if !found {
			return c, missingMachine(nil, res)
		}
		c.Alias = res.arn("stateMachine", res.Rest)
		number = a.route(pick())
	}
	v, found, err := store.GetRecord[version](r, versionKey(res.scope, name, number))
	if err != nil {
		return c, err
	}
	if !found {
		return c, missingMachine(nil, res)
	}
	c.ID, c.Description, c.Created, c.Version = v.Revision, v.Description, v.Created, v.arn(res.scope, name)
	if c.revision, found, err = store.GetRecord[revision](r, revisionKey(v.Revision)); err == nil && !found {
		err = fmt.Errorf("states: the revision of %s is missing", c.Version)
	}
	return c, err
}

// missingMachine is the answer for a machine, a version or an alias that is not there.
func missingMachine(err error, res resource) error {
	if err == nil || errors.Is(err, api.StateMachineDoesNotExist) {
		return api.StateMachineDoesNotExist.New("State Machine Does Not Exist: '%s'", res.arn(res.Kind, res.Rest))
	}
	return err
}
