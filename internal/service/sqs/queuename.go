package sqs

import "strings"

const fifoSuffix = ".fifo"

// checkName checks a queue's name.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html#SQS-CreateQueue-request-QueueName
func checkName(name string, fifo bool) error {
	base := name
	if fifo {
		var ok bool
		if base, ok = strings.CutSuffix(name, fifoSuffix); !ok || !isName(base) || len(name) > maxQueueName {
			return invalidParameterValue.New("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
		}
		return nil
	}
	if !isName(base) || len(name) > maxQueueName {
		return invalidParameterValue.New("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// isName says whether s has letters, digits, hyphens and underscores alone.
func isName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != ""
}
