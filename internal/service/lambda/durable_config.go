package lambda

import (
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// durability is a version's DurableConfig.
type durability struct {
	Timeout   int // of an execution, in seconds
	Retention int // of what is known of an execution after its end, in days
}

// defaultRetention is AWS's. https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-durableconfig.html
const defaultRetention = 14

// applyDurable makes a function durable when it is made, or changes how it is.
// https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html
func (c *settings) applyDurable(v *version) error {
	d := c.Durable
	if d == nil {
		return nil
	}
	if awsapi.Val(d.KMSKeyArn) != "" {
		return awsapi.NotImplemented.New("Cirro has no KMS keys: leave KMSKeyArn out or empty")
	}
	made := v.SpecID != ""
	switch {
	case made && v.Durable == nil:
		return invalid("You cannot add a durable configuration to an existing function.")
	case !made && d.ExecutionTimeout == nil:
		return invalid("You cannot create a function with a durable configuration without an executionTimeout")
	}
	next := durability{Retention: defaultRetention}
	if v.Durable != nil {
		next = *v.Durable
	}
	if d.ExecutionTimeout != nil {
		next.Timeout = int(*d.ExecutionTimeout)
	}
	if d.RetentionPeriodInDays != nil {
		next.Retention = int(*d.RetentionPeriodInDays)
	}
	v.Durable = &next
	return nil
}

func (d *durability) shown() *api.DurableConfig {
	if d == nil {
		return nil
	}
	return &api.DurableConfig{ExecutionTimeout: new(int32(d.Timeout)), RetentionPeriodInDays: new(int32(d.Retention))}
}
