package s3

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// maxLifecycleRules bounds a configuration.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
const maxLifecycleRules = 1000

const day = 24 * time.Hour

// lifecycle is a bucket's configuration as it is kept.
type lifecycle struct {
	Rules       []api.LifecycleRule
	MinimumSize string
}

// PutBucketLifecycleConfiguration says when a bucket's objects expire and move between storage classes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
func (s *Service) PutBucketLifecycleConfiguration(ctx context.Context, in *api.PutBucketLifecycleConfigurationRequest) (*api.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil || len(in.LifecycleConfiguration.Rules) == 0 {
		return nil, badXML()
	}
	rules := in.LifecycleConfiguration.Rules
	if err := checkLifecycle(rules); err != nil {
		return nil, err
	}
	c := lifecycle{Rules: rules, MinimumSize: awsapi.Val(in.TransitionDefaultMinimumObjectSize)}
	if c.MinimumSize == "" {
		c.MinimumSize = api.TransitionDefaultMinimumObjectSizeAllStorageClasses128k
	}
	return &api.PutBucketLifecycleConfigurationOutput{}, s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutLifecycleConfiguration",
		func(tx store.Tx, b *bucket) error {
			b, err := s.setConfig(tx, b, kindLifecycle, c)
			if err != nil {
				return err
			}
			return s.visitLater(tx, b, 0)
		})
}

// GetBucketLifecycleConfiguration tells them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
func (s *Service) GetBucketLifecycleConfiguration(ctx context.Context, in *api.GetBucketLifecycleConfigurationRequest) (*api.GetBucketLifecycleConfigurationOutput, error) {
	c, err := kept[lifecycle](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetLifecycleConfiguration", kindLifecycle,
		lacking("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"))
	if err != nil {
		return nil, err
	}
	return &api.GetBucketLifecycleConfigurationOutput{Rules: c.Rules, TransitionDefaultMinimumObjectSize: &c.MinimumSize}, nil
}

// DeleteBucketLifecycle removes them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html
func (s *Service) DeleteBucketLifecycle(ctx context.Context, in *api.DeleteBucketLifecycleRequest) (*api.DeleteBucketLifecycleOutput, error) {
	return &api.DeleteBucketLifecycleOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutLifecycleConfiguration", kindLifecycle)
}

// checkLifecycle refuses rules that cannot be, and gives those an id that have none.
func checkLifecycle(rules []api.LifecycleRule) error {
	if len(rules) > maxLifecycleRules {
		return badXML()
	}
	ids := map[string]bool{}
	for i := range rules {
		rule := &rules[i]
		if awsapi.Val(rule.ID) == "" {
			rule.ID = new(newID(time.Now()))
		}
		switch {
		case len(*rule.ID) > 255:
			return invalidArgument.New("ID length should not exceed allowed limit of 255")
		case ids[*rule.ID]:
			return wrongArgument("ID", *rule.ID, "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[*rule.ID] = true
		if err := checkLifecycleRule(rule); err != nil {
			return err
		}
	}
	return nil
}

func checkLifecycleRule(rule *api.LifecycleRule) error {
	status := awsapi.Val(rule.Status)
	acts := rule.Expiration != nil || len(rule.Transitions) > 0 || rule.NoncurrentVersionExpiration != nil ||
		len(rule.NoncurrentVersionTransitions) > 0 || rule.AbortIncompleteMultipartUpload != nil
	switch {
	case status != api.ExpirationStatusEnabled && status != api.ExpirationStatusDisabled, (rule.Filter == nil) == (rule.Prefix == nil):
		return badXML()
	case !acts:
		return invalidRequest.New("At least one action needs to be specified in a rule")
	}
	if err := checkLifecycleFilter(rule); err != nil {
		return err
	}
	if err := checkExpiration(rule); err != nil {
		return err
	}
	for _, t := range rule.Transitions {
		if (t.Date == nil) == (t.Days == nil) || awsapi.Val(t.StorageClass) == "" {
			return badXML()
		}
		if err := checkTransition(*t.StorageClass, awsapi.Val(t.Days), t.Date); err != nil {
			return err
		}
	}
	for _, t := range rule.NoncurrentVersionTransitions {
		if t.NoncurrentDays == nil || awsapi.Val(t.StorageClass) == "" {
			return badXML()
		}
		if err := checkTransition(*t.StorageClass, *t.NoncurrentDays, nil); err != nil {
			return err
		}
	}
	if n := rule.NoncurrentVersionExpiration; n != nil {
		switch {
		case n.NoncurrentDays == nil:
			return badXML()
		case *n.NoncurrentDays <= 0:
			return invalidArgument.New("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
		case n.NewerNoncurrentVersions != nil && (*n.NewerNoncurrentVersions < 1 || *n.NewerNoncurrentVersions > 100):
			return invalidArgument.New("'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer between 1 and 100")
		case n.NewerNoncurrentVersions != nil && rule.Prefix != nil:
			return invalidRequest.New("NewerNoncurrentVersions element can only be used in Lifecycle V2.")
		}
	}
	if a := rule.AbortIncompleteMultipartUpload; a != nil && awsapi.Val(a.DaysAfterInitiation) <= 0 {
		return invalidArgument.New("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
	}
	return nil
}

func checkExpiration(rule *api.LifecycleRule) error {
	e := rule.Expiration
	if e == nil {
		return nil
	}
	set := 0
	for _, has := range []bool{e.Date != nil, e.Days != nil, e.ExpiredObjectDeleteMarker != nil} {
		if has {
			set++
		}
	}
	switch {
	case set != 1:
		return badXML()
	case e.Date != nil && !e.Date.Equal(e.Date.UTC().Truncate(day)):
		return invalidArgument.New("'Date' must be at midnight GMT")
	case e.Days != nil && *e.Days <= 0:
		return invalidArgument.New("'Days' for Expiration action must be a positive integer")
	case awsapi.Val(e.ExpiredObjectDeleteMarker) && newFilter(rule).tagged():
		return invalidRequest.New("ExpiredObjectDeleteMarker cannot be specified with Tags.")
	}
	return nil
}

func checkTransition(class string, days int32, date *time.Time) error {
	switch {
	case days < 0:
		return invalidArgument.New("'Days' for Transition action must be nonnegative")
	case date != nil && !date.Equal(date.UTC().Truncate(day)):
		return invalidArgument.New("'Date' must be at midnight GMT")
	case date == nil && days < 30 && (class == api.TransitionStorageClassStandardIa || class == api.TransitionStorageClassOnezoneIa):
		return invalidArgument.New("'Days' in Transition action must be greater than or equal to 30 for storageClass '%s'", class)
	case !slices.Contains(transitionClasses, class):
		return badXML()
	}
	return nil
}

var transitionClasses = []string{api.TransitionStorageClassGlacier, api.TransitionStorageClassStandardIa, api.TransitionStorageClassOnezoneIa,
	api.TransitionStorageClassIntelligentTiering, api.TransitionStorageClassDeepArchive, api.TransitionStorageClassGlacierIr}

func checkLifecycleFilter(rule *api.LifecycleRule) error {
	f := rule.Filter
	if f == nil {
		return nil
	}
	set := 0
	for _, has := range []bool{f.Prefix != nil, f.Tag != nil, f.ObjectSizeGreaterThan != nil, f.ObjectSizeLessThan != nil, f.And != nil} {
		if has {
			set++
		}
	}
	if set > 1 {
		return badXML()
	}
	if and := f.And; and != nil {
		parts := len(and.Tags)
		for _, has := range []bool{and.Prefix != nil, and.ObjectSizeGreaterThan != nil, and.ObjectSizeLessThan != nil} {
			if has {
				parts++
			}
		}
		if parts < 2 {
			return badXML()
		}
	}
	filter := newFilter(rule)
	if filter.above != nil && filter.below != nil && *filter.above >= *filter.below {
		return invalidRequest.New("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	if err := checkTags(filter.tags, maxObjectTags); err != nil {
		return err
	}
	if rule.AbortIncompleteMultipartUpload != nil {
		switch {
		case filter.tagged():
			return invalidRequest.New("AbortIncompleteMultipartUpload cannot be specified with Tags.")
		case filter.above != nil || filter.below != nil:
			return invalidRequest.New("AbortIncompleteMultipartUpload cannot be specified with Object Size.")
		}
	}
	return nil
}

// filter says which objects a rule is for.
type filter struct {
	prefix       string
	tags         []pair
	above, below *int64 // sizes, exclusive
}

func newFilter(rule *api.LifecycleRule) filter {
	f := filter{prefix: awsapi.Val(rule.Prefix)}
	if rule.Filter == nil {
		return f
	}
	in := rule.Filter
	f.prefix, f.above, f.below = awsapi.Val(in.Prefix), in.ObjectSizeGreaterThan, in.ObjectSizeLessThan
	tags := []api.Tag{}
	if in.Tag != nil {
		tags = append(tags, *in.Tag)
	}
	if and := in.And; and != nil {
		f.prefix, f.above, f.below = awsapi.Val(and.Prefix), and.ObjectSizeGreaterThan, and.ObjectSizeLessThan
		tags = and.Tags
	}
	for _, t := range tags {
		f.tags = append(f.tags, pair{awsapi.Val(t.Key), awsapi.Val(t.Value)})
	}
	return f
}

func (f filter) tagged() bool { return len(f.tags) > 0 }

func (f filter) includes(key string, v *version) bool {
	if !strings.HasPrefix(key, f.prefix) {
		return false
	}
	if v.Marker {
		return !f.tagged() && f.above == nil && f.below == nil
	}
	if f.above != nil && v.Size <= *f.above || f.below != nil && v.Size >= *f.below {
		return false
	}
	for _, t := range f.tags {
		if !slices.Contains(v.Tags, t) {
			return false
		}
	}
	return true
}

// plan is a bucket's enabled rules, ready to be asked.
type plan struct {
	rules []planned
	small bool // objects below 128 KiB change their class, too
}

type planned struct {
	*api.LifecycleRule
	filter filter
}

func newPlan(c lifecycle) (*plan, error) {
	p := &plan{small: c.MinimumSize == api.TransitionDefaultMinimumObjectSizeVariesByStorageClass}
	for i := range c.Rules {
		if rule := &c.Rules[i]; *rule.Status == api.ExpirationStatusEnabled {
			p.rules = append(p.rules, planned{rule, newFilter(rule)})
		}
	}
	return p, nil
}

// midnight is the first midnight, in UTC, that is so many days after a time.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-number-of-days
func midnight(t time.Time, days int32) time.Time {
	due := t.UTC().Add(time.Duration(days) * day)
	if whole := due.Truncate(day); !whole.Equal(due) {
		return whole.Add(day)
	}
	return due
}

// expiry is when a current version expires, and by which rule; no rule for never.
func (p *plan) expiry(key string, v *version) (due time.Time, by *planned) {
	for i := range p.rules {
		rule := &p.rules[i]
		e := rule.Expiration
		if e == nil || e.Days == nil && e.Date == nil || !rule.filter.includes(key, v) {
			continue
		}
		at := awsapi.Val(e.Date)
		if e.Days != nil {
			at = midnight(v.Modified, *e.Days)
		}
		if by == nil || at.Before(due) {
			due, by = at, rule
		}
	}
	return due, by
}

// class is the storage class that a version ought to have by now; since is when it became what it is, current or not.
func (p *plan) class(key string, v *version, current bool, newer int, since, now time.Time) string {
	class := v.Class
	for i := range p.rules {
		rule := &p.rules[i]
		if !rule.filter.includes(key, v) {
			continue
		}
		if current {
			for _, t := range rule.Transitions {
				due := awsapi.Val(t.Date)
				if t.Days != nil {
					due = midnight(v.Modified, *t.Days)
				}
				class = p.colder(class, *t.StorageClass, due, v, now, rule)
			}
			continue
		}
		for _, t := range rule.NoncurrentVersionTransitions {
			if newer >= int(awsapi.Val(t.NewerNoncurrentVersions)) {
				class = p.colder(class, *t.StorageClass, midnight(since, *t.NoncurrentDays), v, now, rule)
			}
		}
	}
	return class
}

// warmth orders the storage classes: objects only ever move on.
var warmth = []string{"", api.StorageClassStandard, api.StorageClassStandardIa, api.StorageClassIntelligentTiering, api.StorageClassOnezoneIa,
	api.StorageClassGlacierIr, api.StorageClassGlacier, api.StorageClassDeepArchive}

// smallest is the size below which objects stay where they are, unless a rule names a size itself.
const smallest = 128 << 10

func (p *plan) colder(class, next string, due time.Time, v *version, now time.Time, rule *planned) string {
	archive := next == api.StorageClassGlacier || next == api.StorageClassDeepArchive
	tooSmall := v.Size < smallest && rule.filter.above == nil && rule.filter.below == nil && !(p.small && archive)
	if now.Before(due) || tooSmall || slices.Index(warmth, next) <= slices.Index(warmth, class) {
		return class
	}
	return next
}

// expiration is the x-amz-expiration header of an object, nil where no lifecycle rule expires it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (s *Service) expiration(r store.Reader, b *bucket, key string, v *version) (*string, error) {
	p, err := configOf(s, r, b, kindLifecycle, newPlan)
	if err != nil || p == nil || v.Marker {
		return nil, err
	}
	due, rule := p.expiry(key, v)
	if rule == nil {
		return nil, nil
	}
	return new(fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, due.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), url.QueryEscape(*rule.ID))), nil
}
