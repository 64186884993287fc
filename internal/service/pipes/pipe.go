package pipes

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/pipes"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// ref names a pipe.
type ref struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

func (p ref) arn() string {
	return fmt.Sprintf("arn:aws:pipes:%s:%s:pipe/%s", p.Region, p.Account, p.Name)
}

func (p ref) key() []byte { return store.Key("pipes", "pipe", p.Account, p.Region, p.Name) }

// refOf names a pipe of the account and region of a request.
func refOf(ctx context.Context, name *string) ref {
	r := awsapi.RequestOf(ctx)
	return ref{r.Account(), r.Region, awsapi.Val(name)}
}

// pipe is the record of a pipe.
type pipe struct {
	ref
	ID          string                        `json:"id"`       // unlike that of any other pipe, now and later
	Revision    string                        `json:"revision"` // changes with what is to be done
	Description *string                       `json:"description,omitempty"`
	Desired     string                        `json:"desired"`
	State       string                        `json:"state"`
	Reason      string                        `json:"reason,omitempty"` // of a state that failed
	Source      string                        `json:"source"`
	From        api.PipeSourceParameters      `json:"from"`
	Enrichment  string                        `json:"enrichment,omitempty"`
	Enriching   *api.PipeEnrichmentParameters `json:"enriching,omitempty"`
	Target      string                        `json:"target"`
	To          *api.PipeTargetParameters     `json:"to,omitempty"`
	Role        string                        `json:"role"`
	Tags        map[string]string             `json:"tags,omitempty"`
	Log         *api.PipeLogConfiguration     `json:"log,omitempty"`
	Key         *string                       `json:"key,omitempty"` // of KMS
	Created     time.Time                     `json:"created"`
	Modified    time.Time                     `json:"modified"`
}

func (p *pipe) put(tx store.Tx) error { return store.SetRecord(tx, p.key(), p) }

// getPipe reads a pipe.
func getPipe(r store.Reader, of ref) (*pipe, error) {
	p, found, err := store.GetRecord[pipe](r, of.key())
	if err == nil && !found {
		err = api.NotFoundException.New("Pipe %s does not exist.", of.Name)
	}
	return &p, err
}

// settled reports whether a pipe is on its way to no other state.
func (p *pipe) settled() bool {
	return !strings.HasSuffix(p.State, "ING") || p.State == api.PipeStateRunning
}

// session is the session of the pipe's role that it reads and calls as.
func (p *pipe) session() awsapi.Principal {
	role := p.Role[strings.LastIndexByte(p.Role, '/')+1:]
	return awsapi.Principal{Account: p.Account, ARN: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", p.Account, role, p.Name), SourceARN: p.arn()}
}

// change changes a pipe that is settled, and has it brought into the state that is wanted. A pipe that is to
// be deleted may be in any state.
func (s *Service) change(ctx context.Context, name *string, change func(*pipe) error) (*pipe, error) {
	var p *pipe
	of := refOf(ctx, name)
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if p, err = getPipe(tx, of); err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		p.Modified, p.Revision, p.Reason = s.Clock(), uuid.NewString(), ""
		return p.put(tx)
	})
	if err != nil {
		return nil, err
	}
	s.follow(of)
	return p, nil
}

// busy is the answer where a pipe is in a state that a change does not fit.
func busy(p *pipe) error {
	return api.ConflictException.New("Pipe %s is in state %s.", p.Name, p.State)
}

// CreatePipe makes a pipe; it runs once its source is found.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_CreatePipe.html
func (s *Service) CreatePipe(ctx context.Context, in *api.CreatePipeRequest) (*api.CreatePipeResponse, error) {
	p := &pipe{ref: refOf(ctx, in.Name), ID: uuid.NewString(), Revision: uuid.NewString(), Description: in.Description,
		Desired: api.RequestedPipeStateRunning, State: api.PipeStateCreating, Source: awsapi.Val(in.Source), From: awsapi.Val(in.SourceParameters),
		Enrichment: awsapi.Val(in.Enrichment), Enriching: in.EnrichmentParameters, Target: awsapi.Val(in.Target), To: in.TargetParameters,
		Role: awsapi.Val(in.RoleArn), Tags: in.Tags, Key: in.KmsKeyIdentifier, Created: s.Clock(), Modified: s.Clock()}
	if in.DesiredState != nil {
		p.Desired = *in.DesiredState
	}
	var err error
	if p.Log, err = logConfiguration(in.LogConfiguration); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		_, found, err := store.GetRecord[pipe](tx, p.key())
		if err != nil {
			return err
		}
		if found {
			return api.ConflictException.New("Pipe %s already exists.", p.Name)
		}
		return p.put(tx)
	})
	if err != nil {
		return nil, err
	}
	s.follow(p.ref)
	return &api.CreatePipeResponse{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
		CreationTime: &p.Created, LastModifiedTime: &p.Modified}, nil
}

// UpdatePipe changes a pipe. What is not given stays, but for the members of what is.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_UpdatePipe.html
func (s *Service) UpdatePipe(ctx context.Context, in *api.UpdatePipeRequest) (*api.UpdatePipeResponse, error) {
	log, err := logConfiguration(in.LogConfiguration)
	if err != nil {
		return nil, err
	}
	p, err := s.change(ctx, in.Name, func(p *pipe) error {
		if !p.settled() {
			return busy(p)
		}
		p.Role = awsapi.Val(in.RoleArn)
		set(&p.Target, in.Target)
		set(&p.Enrichment, in.Enrichment)
		set(&p.Desired, in.DesiredState)
		setPointer(&p.Description, in.Description)
		setPointer(&p.Enriching, in.EnrichmentParameters)
		setPointer(&p.To, in.TargetParameters)
		setPointer(&p.Key, in.KmsKeyIdentifier)
		setPointer(&p.Log, log)
		if in.SourceParameters != nil {
			p.updateSource(in.SourceParameters)
		}
		p.State = api.PipeStateUpdating
		return p.check()
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdatePipeResponse{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
		CreationTime: &p.Created, LastModifiedTime: &p.Modified}, nil
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

func setPointer[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// StartPipe starts a pipe that is stopped.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_StartPipe.html
func (s *Service) StartPipe(ctx context.Context, in *api.StartPipeRequest) (*api.StartPipeResponse, error) {
	p, err := s.change(ctx, in.Name, func(p *pipe) error {
		if !p.settled() || p.State == api.PipeStateRunning {
			return busy(p)
		}
		p.Desired, p.State = api.RequestedPipeStateRunning, api.PipeStateStarting
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StartPipeResponse{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
		CreationTime: &p.Created, LastModifiedTime: &p.Modified}, nil
}

// StopPipe stops a pipe. What it has read goes its way.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_StopPipe.html
func (s *Service) StopPipe(ctx context.Context, in *api.StopPipeRequest) (*api.StopPipeResponse, error) {
	p, err := s.change(ctx, in.Name, func(p *pipe) error {
		if !p.settled() || p.State == api.PipeStateStopped {
			return busy(p)
		}
		p.Desired, p.State = api.RequestedPipeStateStopped, api.PipeStateStopping
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StopPipeResponse{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
		CreationTime: &p.Created, LastModifiedTime: &p.Modified}, nil
}

// DeletePipe ends a pipe. What it has read goes its way.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_DeletePipe.html
func (s *Service) DeletePipe(ctx context.Context, in *api.DeletePipeRequest) (*api.DeletePipeResponse, error) {
	p, err := s.change(ctx, in.Name, func(p *pipe) error {
		if p.State == api.PipeStateDeleting {
			return busy(p)
		}
		p.Desired, p.State = api.RequestedPipeStateDescribeResponseDeleted, api.PipeStateDeleting
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeletePipeResponse{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
		CreationTime: &p.Created, LastModifiedTime: &p.Modified}, nil
}

// DescribePipe returns a pipe.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_DescribePipe.html
func (s *Service) DescribePipe(ctx context.Context, in *api.DescribePipeRequest) (out *api.DescribePipeResponse, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		p, err := getPipe(r, refOf(ctx, in.Name))
		if err != nil {
			return err
		}
		out = &api.DescribePipeResponse{Arn: new(p.arn()), Name: &p.Name, Description: p.Description, DesiredState: &p.Desired,
			CurrentState: &p.State, StateReason: optional(p.Reason), Source: &p.Source, SourceParameters: &p.From,
			Enrichment: optional(p.Enrichment), EnrichmentParameters: p.Enriching, Target: &p.Target, TargetParameters: p.To,
			RoleArn: &p.Role, Tags: tagsOf(p), CreationTime: &p.Created, LastModifiedTime: &p.Modified, LogConfiguration: p.Log,
			KmsKeyIdentifier: p.Key}
		return nil
	})
	return out, err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// defaultLimit is how many pipes a list has at most.
const defaultLimit = 100

// ListPipes lists pipes.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_ListPipes.html
func (s *Service) ListPipes(ctx context.Context, in *api.ListPipesRequest) (*api.ListPipesResponse, error) {
	here := refOf(ctx, nil)
	over := store.Prefix("pipes", "pipe", here.Account, here.Region)
	if in.NextToken != nil {
		name, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		if err != nil {
			return nil, api.ValidationException.New("The value of NextToken is not valid.")
		}
		over = over.After(ref{here.Account, here.Region, string(name)}.key())
	}
	limit := defaultLimit
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	keep := func(p *pipe) bool {
		is := func(wanted *string, has string) bool { return wanted == nil || *wanted == has }
		begins := func(prefix *string, has string) bool { return strings.HasPrefix(has, awsapi.Val(prefix)) }
		return begins(in.NamePrefix, p.Name) && begins(in.SourcePrefix, p.Source) && begins(in.TargetPrefix, p.Target) &&
			is(in.DesiredState, p.Desired) && is(in.CurrentState, p.State)
	}
	out := &api.ListPipesResponse{Pipes: []api.Pipe{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		list, last, err := store.Page(r, over, limit, keep)
		for i := range list {
			p := &list[i]
			out.Pipes = append(out.Pipes, api.Pipe{Arn: new(p.arn()), Name: &p.Name, DesiredState: &p.Desired, CurrentState: &p.State,
				StateReason: optional(p.Reason), CreationTime: &p.Created, LastModifiedTime: &p.Modified, Source: &p.Source,
				Target: &p.Target, Enrichment: optional(p.Enrichment)})
		}
		if last != nil {
			out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte(list[len(list)-1].Name)))
		}
		return err
	})
	return out, err
}

func tagsOf(p *pipe) map[string]string {
	if p.Tags == nil {
		return map[string]string{}
	}
	return p.Tags
}

// TagResource adds tags to a pipe.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	return nil, s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// UntagResource takes tags from a pipe.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return nil, s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
	})
}

// maxTags is how many tags a pipe has at most.
const maxTags = 50

func (s *Service) changeTags(ctx context.Context, arn *string, change func(map[string]string)) error {
	of, err := parseARN(ctx, arn)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		p, err := getPipe(tx, of)
		if err != nil {
			return err
		}
		p.Tags = maps.Clone(tagsOf(p))
		change(p.Tags)
		if len(p.Tags) > maxTags {
			return api.ServiceQuotaExceededException.New("A pipe can have up to %d tags.", maxTags)
		}
		return p.put(tx)
	})
}

// ListTagsForResource lists a pipe's tags.
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	of, err := parseARN(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceResponse{}
	err = s.Store.View(ctx, func(r store.Reader) error {
		p, err := getPipe(r, of)
		out.Tags = tagsOf(p)
		return err
	})
	return out, err
}

// parseARN reads a pipe's ARN.
func parseARN(ctx context.Context, arn *string) (ref, error) {
	here := refOf(ctx, nil)
	name, ok := strings.CutPrefix(awsapi.Val(arn), here.arn())
	if !ok || name == "" {
		return ref{}, api.NotFoundException.New("Resource %s does not exist.", awsapi.Val(arn))
	}
	here.Name = name
	return here, nil
}
