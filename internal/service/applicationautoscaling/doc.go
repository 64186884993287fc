// Package applicationautoscaling is Application Auto Scaling for what Cirro can scale: the provisioned
// concurrency of Lambda's versions and aliases. It owns scalable targets, target tracking policies,
// scheduled actions and the record of scaling activities, and carries them out in the background.
//
// It changes capacity as a user would, through Lambda's API, and hears from a Meter how much of it is in
// use: there are no CloudWatch metrics or alarms yet, so that policies over other metrics are refused. It
// never decides whether an invocation may run.
package applicationautoscaling
