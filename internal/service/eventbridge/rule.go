package eventbridge

import (
	"context"
	"errors"
	"regexp"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/eventpattern"
	"cirro/internal/schedule"
	"cirro/internal/store"
)

// rule is the record of a rule, its targets among it.
type rule struct {
	Name        string
	Pattern     *string `json:",omitempty"`
	Schedule    *string `json:",omitempty"`
	State       string
	Description *string      `json:",omitempty"`
	RoleARN     *string      `json:",omitempty"`
	CreatedBy   string       // account
	Started     time.Time    // when the schedule began to count
	Tags        []api.Tag    `json:",omitempty"`
	Targets     []api.Target `json:",omitempty"`
}

func (b busRef) ruleKey(name string) []byte { return b.place.key("rule", b.Name, name) }
func (b busRef) rules() store.Range         { return b.place.all("rule", b.Name) }

// enabled reports whether the rule takes events.
func (u *rule) enabled() bool { return u.State != api.RuleStateDisabled }

// getRule reads the record of a rule that is there.
func getRule(r store.Reader, ref busRef, name string) (rule, error) {
	record, found, err := store.GetRecord[rule](r, ref.ruleKey(name))
	if err == nil && !found {
		if _, err := getBus(r, ref); err != nil {
			return record, err
		}
		err = api.ResourceNotFoundException.New("Rule %s does not exist on EventBus %s.", name, ref.Name)
	}
	return record, err
}

// changeRule changes a rule in a transaction.
func (s *Service) changeRule(ctx context.Context, ref busRef, name string, change func(store.Tx, *rule) error) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		record, err := getRule(tx, ref, name)
		if err != nil {
			return err
		}
		if err := change(tx, &record); err != nil {
			return err
		}
		return s.putRule(tx, ref, &record)
	})
	s.alarms.Poke()
	return err
}

// putRule writes a rule and sets its alarm.
func (s *Service) putRule(tx store.Tx, ref busRef, record *rule) error {
	if err := store.SetRecord(tx, ref.ruleKey(record.Name), record); err != nil {
		return err
	}
	if err := s.alarms.Set(tx, ref.ruleARN(record.Name), record.due(s.Clock())); err != nil {
		return err
	}
	return touch(tx, ref)
}

// expressions are the schedules that rules take: a rate's unit agrees with its number.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
var expressions = regexp.MustCompile(`^(cron\(.*\)|rate\((1 (minute|hour|day)|0*([2-9]|[1-9][0-9]+) (minutes|hours|days))\))$`)

// parseSchedule reads a rule's schedule, which counts in UTC.
func parseSchedule(text string) (*schedule.Schedule, error) {
	if !expressions.MatchString(text) {
		return nil, invalid("Parameter ScheduleExpression is not valid.")
	}
	parsed, err := schedule.Parse(text, "")
	if err != nil {
		return nil, invalid("Parameter ScheduleExpression is not valid.")
	}
	return parsed, nil
}

// compile compiles a pattern. What is wrong with it is the client's to know.
func compile(pattern string) (*eventpattern.Pattern, error) {
	p, err := eventpattern.Compile([]byte(pattern))
	var refused *eventpattern.Error
	if errors.As(err, &refused) {
		return nil, api.InvalidEventPatternException.New("%s", refused.Error())
	}
	return p, err
}

// PutRule makes a rule, or changes the one of that name; its targets and tags stay.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func (s *Service) PutRule(ctx context.Context, in *api.PutRuleRequest) (*api.PutRuleResponse, error) {
	ref := ownBus(ctx, in.EventBusName)
	if awsapi.Val(in.EventPattern) == "" && awsapi.Val(in.ScheduleExpression) == "" {
		return nil, invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if awsapi.Val(in.EventPattern) != "" {
		if _, err := compile(*in.EventPattern); err != nil {
			return nil, err
		}
	}
	if awsapi.Val(in.ScheduleExpression) != "" {
		if ref.Name != defaultBus {
			return nil, invalid("ScheduleExpression is supported only on the default event bus.")
		}
		if _, err := parseSchedule(*in.ScheduleExpression); err != nil {
			return nil, err
		}
	}
	state := api.RuleStateEnabled
	if in.State != nil {
		state = *in.State
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getBus(tx, ref); err != nil {
			return err
		}
		record, found, err := store.GetRecord[rule](tx, ref.ruleKey(*in.Name))
		if err != nil {
			return err
		}
		if !found {
			record = rule{Name: *in.Name, CreatedBy: awsapi.RequestOf(ctx).Account()}
			if err := mergeTags(&record.Tags, in.Tags); err != nil {
				return err
			}
		}
		if awsapi.Val(record.Schedule) != awsapi.Val(in.ScheduleExpression) || record.State != state {
			record.Started = s.Clock()
		}
		record.Pattern, record.Schedule, record.State = nonEmpty(in.EventPattern), nonEmpty(in.ScheduleExpression), state
		record.Description, record.RoleARN = in.Description, in.RoleArn
		return s.putRule(tx, ref, &record)
	})
	s.alarms.Poke()
	return &api.PutRuleResponse{RuleArn: new(ref.ruleARN(*in.Name))}, err
}

func nonEmpty(s *string) *string {
	if awsapi.Val(s) == "" {
		return nil
	}
	return s
}

// DescribeRule describes a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
func (s *Service) DescribeRule(ctx context.Context, in *api.DescribeRuleRequest) (*api.DescribeRuleResponse, error) {
	ref := ownBus(ctx, in.EventBusName)
	var u rule
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		u, err = getRule(r, ref, *in.Name)
		return err
	})
	return &api.DescribeRuleResponse{Name: &u.Name, Arn: new(ref.ruleARN(u.Name)), EventPattern: u.Pattern, ScheduleExpression: u.Schedule,
		State: &u.State, Description: u.Description, RoleArn: u.RoleARN, EventBusName: &ref.Name, CreatedBy: &u.CreatedBy}, err
}

// DeleteRule deletes a rule without targets. One that is not there is deleted already.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html
func (s *Service) DeleteRule(ctx context.Context, in *api.DeleteRuleRequest) (*api.DeleteRuleOutput, error) {
	ref := ownBus(ctx, in.EventBusName)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getBus(tx, ref); err != nil {
			return err
		}
		record, found, err := store.GetRecord[rule](tx, ref.ruleKey(*in.Name))
		if err != nil || !found {
			return err
		}
		if len(record.Targets) > 0 {
			return invalid("Rule can't be deleted since it has targets.")
		}
		if err := tx.Delete(ref.ruleKey(*in.Name)); err != nil {
			return err
		}
		if err := s.alarms.Set(tx, ref.ruleARN(*in.Name), time.Time{}); err != nil {
			return err
		}
		return touch(tx, ref)
	})
	return nil, err
}

// EnableRule makes a rule take events.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EnableRule.html
func (s *Service) EnableRule(ctx context.Context, in *api.EnableRuleRequest) (*api.EnableRuleOutput, error) {
	return nil, s.changeRule(ctx, ownBus(ctx, in.EventBusName), *in.Name, func(_ store.Tx, u *rule) error {
		if !u.enabled() {
			u.State, u.Started = api.RuleStateEnabled, s.Clock()
		}
		return nil
	})
}

// DisableRule makes a rule take no events.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DisableRule.html
func (s *Service) DisableRule(ctx context.Context, in *api.DisableRuleRequest) (*api.DisableRuleOutput, error) {
	return nil, s.changeRule(ctx, ownBus(ctx, in.EventBusName), *in.Name, func(_ store.Tx, u *rule) error {
		u.State = api.RuleStateDisabled
		return nil
	})
}

// ListRules lists a bus's rules.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (s *Service) ListRules(ctx context.Context, in *api.ListRulesRequest) (*api.ListRulesResponse, error) {
	ref := ownBus(ctx, in.EventBusName)
	out := &api.ListRulesResponse{Rules: []api.Rule{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		if _, err := getBus(r, ref); err != nil {
			return err
		}
		rules, next, err := page(r, ref.rules(), in.NextToken, in.Limit, named(in.NamePrefix, func(u *rule) string { return u.Name }))
		out.NextToken = next
		for _, u := range rules {
			out.Rules = append(out.Rules, api.Rule{Name: &u.Name, Arn: new(ref.ruleARN(u.Name)), EventPattern: u.Pattern, State: &u.State,
				Description: u.Description, ScheduleExpression: u.Schedule, RoleArn: u.RoleARN, EventBusName: &ref.Name})
		}
		return err
	})
	return out, err
}

// ListRuleNamesByTarget lists the rules of a bus that have a target.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html
func (s *Service) ListRuleNamesByTarget(ctx context.Context, in *api.ListRuleNamesByTargetRequest) (*api.ListRuleNamesByTargetResponse, error) {
	ref := ownBus(ctx, in.EventBusName)
	out := &api.ListRuleNamesByTargetResponse{RuleNames: []string{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		if _, err := getBus(r, ref); err != nil {
			return err
		}
		rules, next, err := page(r, ref.rules(), in.NextToken, in.Limit, func(u *rule) bool {
			for _, t := range u.Targets {
				if awsapi.Val(t.Arn) == *in.TargetArn {
					return true
				}
			}
			return false
		})
		out.NextToken = next
		for _, u := range rules {
			out.RuleNames = append(out.RuleNames, u.Name)
		}
		return err
	})
	return out, err
}

// TestEventPattern reports whether an event matches a pattern.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
func (s *Service) TestEventPattern(_ context.Context, in *api.TestEventPatternRequest) (*api.TestEventPatternResponse, error) {
	if !isEvent(*in.Event) {
		return nil, invalid("Parameter Event is not valid.")
	}
	p, err := compile(*in.EventPattern)
	if err != nil {
		return nil, err
	}
	return &api.TestEventPatternResponse{Result: new(p.Match([]byte(*in.Event)))}, nil
}
