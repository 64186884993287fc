package applicationautoscaling

import (
	"context"
	"fmt"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// keepActivities is how long activities can be seen.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
const keepActivities = 6 * 7 * 24 * time.Hour

// newActivity begins an activity.
func newActivity(of resource, cause string, now time.Time, description string, args ...any) *activity {
	return &activity{resource: of, Activity: uuid.NewString(), Description: fmt.Sprintf(description, args...), Cause: cause, Start: now,
		Status: api.ScalingActivityStatusCodeInProgress}
}

// end ends an activity.
func (a *activity) end(status string, now time.Time, message string, args ...any) {
	a.Status, a.End, a.Message = status, now, fmt.Sprintf(message, args...)
}

// record writes an activity, and drops those that are too old to be seen.
func (a *activity) record(tx store.Tx) error {
	old := *a
	old.Start = a.Start.Add(-keepActivities)
	over := store.Prefix("autoscaling", "activity", a.Account, a.Region, a.Namespace)
	for range tx.Range(store.Range{Start: over.Start, End: old.key(), Limit: 1}) {
		if err := tx.DeleteRange(over.Start, old.key()); err != nil {
			return err
		}
	}
	return store.SetRecord(tx, a.key(), a)
}

// DescribeScalingActivities lists the activities of a service, or of one resource, the latest first.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
func (s *Service) DescribeScalingActivities(ctx context.Context, in *api.DescribeScalingActivitiesRequest) (
	out *api.DescribeScalingActivitiesResponse, err error,
) {
	if err := needsID(in.ResourceId, in.ScalableDimension); err != nil {
		return nil, err
	}
	oldest := s.Clock().Add(-keepActivities)
	out = &api.DescribeScalingActivitiesResponse{ScalingActivities: []api.ScalingActivity{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		over := ofService(ctx, "activity", *in.ServiceNamespace)
		over.Reverse = true
		activities, next, err := page(r, "activity", over, in.NextToken, in.MaxResults, defaultPage, func(a *activity) bool {
			return a.matches(in.ResourceId, in.ScalableDimension) && !a.Start.Before(oldest) &&
				(a.NotScaled == "" || awsapi.Val(in.IncludeNotScaledActivities))
		})
		for i := range activities {
			out.ScalingActivities = append(out.ScalingActivities, activities[i].shown())
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (a *activity) shown() api.ScalingActivity {
	shown := api.ScalingActivity{
		ActivityId: &a.Activity, ServiceNamespace: &a.Namespace, ResourceId: &a.ID, ScalableDimension: &a.Dimension,
		Description: &a.Description, Cause: &a.Cause, StartTime: &a.Start, EndTime: optional(a.End),
		StatusCode: &a.Status, StatusMessage: optional(a.Message),
	}
	if a.NotScaled != "" {
		reason := api.NotScaledReason{Code: &a.NotScaled, CurrentCapacity: new(int32(a.Capacity))}
		switch a.NotScaled {
		case atMaximum:
			reason.MaxCapacity = new(int32(a.Limit))
		case atMinimum:
			reason.MinCapacity = new(int32(a.Limit))
		}
		shown.NotScaledReasons = []api.NotScaledReason{reason}
	}
	return shown
}
