package endpoint

import (
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// nameQueue names the queue that a form of SQS was sent to: in the query protocol a request may go to the queue's own
// URL instead of naming it.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
func nameQueue(x *wire.Exchange) {
	if x.Service == nil || x.Service.Name != "sqs" || x.Form.Get("QueueUrl") != "" {
		return
	}
	account, name, ok := strings.Cut(strings.Trim(x.HTTP.URL.Path, "/"), "/")
	if !ok || name == "" || strings.Contains(name, "/") || !awsapi.IsAccount(account) {
		return
	}
	x.Form.Names = append(x.Form.Names, "QueueUrl")
	x.Form.Values = append(x.Form.Values, "http://"+x.HTTP.Host+"/"+account+"/"+name)
}
