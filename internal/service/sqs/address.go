package sqs

import (
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// address says which queue.
type address struct{ account, region, name string }

func (a address) key() []byte { return store.Key("sqs", "queue", a.account, a.region, a.name) }

func (a address) arn() string { return "arn:aws:sqs:" + a.region + ":" + a.account + ":" + a.name }

// url is where clients find the queue: at the host that they came to.
func (a address) url(r *awsapi.Request) string {
	base := r.Endpoint
	if base == "" {
		base = "https://sqs." + a.region + ".amazonaws.com"
	}
	return base + "/" + a.account + "/" + a.name
}

// queueAt reads a QueueUrl: one that this platform gave out, one of AWS's, or a name alone. A host such as
// sqs.eu-west-1.amazonaws.com says which region; otherwise it is the request's.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func queueAt(r *awsapi.Request, url string) (address, error) {
	a := address{account: r.Account(), region: r.Region}
	path := url
	if _, rest, ok := strings.Cut(url, "://"); ok {
		host, p, _ := strings.Cut(rest, "/")
		path = p
		if region := regionOf(host); region != "" {
			a.region = region
		}
	}
	path = strings.Trim(path, "/")
	account, name, ok := cutLast(path)
	if !ok {
		name = path
	} else if _, last, ok := cutLast(account); ok {
		account = last
	}
	if ok {
		if !awsapi.IsAccount(account) {
			return a, api.InvalidAddress.New("The address %s is not valid for this endpoint.", url)
		}
		a.account = account
	}
	if a.name = name; name == "" {
		return a, api.InvalidAddress.New("The address %s is not valid for this endpoint.", url)
	}
	return a, nil
}

// cutLast cuts a path before its last part.
func cutLast(path string) (before, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// regionOf is the region that a host names: sqs.{region}.…, or {region}.queue.… as older clients have it.
func regionOf(host string) string {
	first, rest, ok := strings.Cut(host, ".")
	if !ok {
		return ""
	}
	second, _, _ := strings.Cut(rest, ".")
	switch {
	case first == "sqs" && strings.Count(second, "-") >= 2:
		return second
	case second == "queue" && strings.Count(first, "-") >= 2:
		return first
	}
	return ""
}

// queueOf reads a queue's ARN.
func queueOf(arn string) (a address, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" || parts[3] == "" || !awsapi.IsAccount(parts[4]) || parts[5] == "" {
		return a, false
	}
	return address{region: parts[3], account: parts[4], name: parts[5]}, true
}

// fifo says whether the name is a FIFO queue's.
func (a address) fifo() bool { return strings.HasSuffix(a.name, fifoSuffix) }
