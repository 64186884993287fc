// Package lambda is AWS Lambda: functions with their versions, aliases, layers, permissions, URLs and
// concurrency, and their invocation in all its forms.
//
// It owns what is stored of functions (below the key "lambda"), their deployment packages (bodies
// below "lambda/") and the directories these are unpacked into. It decides whether an invocation may
// run; running it is package sandbox's, and every other service is reached through awsapi.Caller.
//
// https://docs.aws.amazon.com/lambda/latest/api/welcome.html
package lambda
