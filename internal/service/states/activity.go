package states

import (
	"context"
	"errors"
	"reflect"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// activity is work that workers outside fetch.
type activity struct {
	Name       string
	Created    time.Time
	Encryption *api.EncryptionConfiguration
	Tags       map[string]string
}

func activityKey(at scope, name string) []byte {
	return store.Key("states", "activity", at.Account, at.Region, name)
}

// CreateActivity makes an activity; one that is there already is the same.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateActivity.html
func (s *Service) CreateActivity(ctx context.Context, in *api.CreateActivityInput) (*api.CreateActivityOutput, error) {
	if err := checkName(*in.Name); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags, *in.Name); err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	at := scopeOf(ctx)
	a := activity{Name: *in.Name, Created: s.Clock(), Encryption: in.EncryptionConfiguration, Tags: tagsOf(in.Tags)}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		known, found, err := store.GetRecord[activity](tx, activityKey(at, a.Name))
		if err != nil {
			return err
		}
		if found {
			if !reflect.DeepEqual(encryption(known.Encryption), encryption(a.Encryption)) {
				return api.ActivityAlreadyExists.New("Activity Already Exists: '%s'", at.arn("activity", a.Name))
			}
			a = known
			return nil
		}
		return store.SetRecord(tx, activityKey(at, a.Name), a)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateActivityOutput{ActivityArn: new(at.arn("activity", a.Name)), CreationDate: &a.Created}, nil
}

// DescribeActivity tells what an activity is.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeActivity.html
func (s *Service) DescribeActivity(ctx context.Context, in *api.DescribeActivityInput) (*api.DescribeActivityOutput, error) {
	a, err := s.activity(ctx, *in.ActivityArn)
	if err != nil {
		return nil, err
	}
	return &api.DescribeActivityOutput{ActivityArn: in.ActivityArn, Name: &a.Name, CreationDate: &a.Created, EncryptionConfiguration: encryption(a.Encryption)}, nil
}

func (s *Service) activity(ctx context.Context, arn string) (a activity, err error) {
	res, err := parseARN(arn, "activity")
	if err != nil {
		return a, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		var found bool
		if a, found, err = store.GetRecord[activity](r, activityKey(res.scope, res.Rest)); err == nil && !found {
			err = api.ActivityDoesNotExist.New("Activity Does Not Exist: '%s'", arn)
		}
		return err
	})
	return a, err
}

// hasActivity reports whether there is an activity.
func hasActivity(r engine.Tx, arn string) (bool, error) {
	res, err := parseARN(arn, "activity")
	if err != nil {
		return false, nil
	}
	_, err = r.Get(activityKey(res.scope, res.Rest))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// DeleteActivity removes an activity; one that is not there is no error.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteActivity.html
func (s *Service) DeleteActivity(ctx context.Context, in *api.DeleteActivityInput) (*api.DeleteActivityOutput, error) {
	res, err := parseARN(*in.ActivityArn, "activity")
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.Delete(activityKey(res.scope, res.Rest)) })
	return &api.DeleteActivityOutput{}, err
}

// ListActivities lists an account's activities by name.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListActivities.html
func (s *Service) ListActivities(ctx context.Context, in *api.ListActivitiesInput) (*api.ListActivitiesOutput, error) {
	at := scopeOf(ctx)
	span, limit, err := pageOf(store.Prefix("states", "activity", at.Account, at.Region), in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListActivitiesOutput{Activities: []api.ActivityListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		list, last, err := store.Page[activity](r, span, limit, nil)
		for _, a := range list {
			out.Activities = append(out.Activities, api.ActivityListItem{ActivityArn: new(at.arn("activity", a.Name)), Name: &a.Name, CreationDate: &a.Created})
		}
		out.NextToken = tokenOf(last)
		return err
	})
	return out, err
}

// pollFor is how long a worker waits for a task.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
const pollFor = 60 * time.Second

// GetActivityTask hands the next task of an activity to a worker, waiting for it for a minute.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
func (s *Service) GetActivityTask(ctx context.Context, in *api.GetActivityTaskInput) (*api.GetActivityTaskOutput, error) {
	if _, err := s.activity(ctx, *in.ActivityArn); err != nil {
		return nil, err
	}
	t, err := s.engine.Pick(ctx, *in.ActivityArn, awsapi.Val(in.WorkerName), pollFor)
	if err != nil || t == nil {
		return &api.GetActivityTaskOutput{}, err
	}
	return &api.GetActivityTaskOutput{TaskToken: new(s.engine.Token(t)), Input: &t.Parameters}, nil
}
