package sqs

import "strconv"

// sequenceBase makes a sequence number one of 20 digits, as SQS's are.
const sequenceBase = 10_000_000_000_000_000_000

// sequenceNumber is the place of a message in a FIFO queue, as clients see it.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func sequenceNumber(sequence uint64) string {
	return strconv.FormatUint(sequenceBase+sequence, 10)
}
