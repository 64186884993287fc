package logs

import (
	"cirro/internal/awsapi/logs"
)

const functionARN = "arn:aws:lambda:eu-west-1:111122223333:function:sink"

// subscribe makes a subscription filter and takes the check of its destination off the calls.
func (f *fixture) subscribe(group, name, pattern string) {
	f.t.Helper()
	must[*logs.PutSubscriptionFilterOutput](f.t)(f.PutSubscriptionFilter(f.ctx, &logs.PutSubscriptionFilterRequest{
		LogGroupName: &group, FilterName: &name, FilterPattern: &pattern, DestinationArn: new(functionARN),
	}))
	<-f.lambda.called
}
