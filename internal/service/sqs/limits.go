package sqs

import "time"

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxMessageSize   = 1 << 20 // bytes of a message, and of a batch
	maxInFlight      = 120_000
	maxVisibility    = 43200 // seconds
	maxDelay         = 900   // seconds
	maxWait          = 20    // seconds
	maxBatch         = 10
	maxQueueName     = 80
	maxEntryID       = 80
	maxTags          = 50
	maxFIFOID        = 128 // characters of a group or deduplication id
	maxListed        = 1000
	dedupWindow      = 5 * time.Minute
	attemptWindow    = 5 * time.Minute // that a receive may be repeated in
	deletionPause    = time.Minute     // before a queue's name is free again
	purgePause       = time.Minute
	minLease         = time.Millisecond // of a message received with a visibility timeout of 0
	maxMovesASecond  = 500
	movedTasksListed = 10
)

// allowedCharacters are those of a message, as XML 1.0 has them.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
const allowedCharacters = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]"

// forbidden returns the first character that no message may have.
func forbidden(s string) (bad rune, found bool) {
	for i := range len(s) { // nearly all text passes here
		if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xef {
			return forbiddenRune(s[i:])
		}
	}
	return 0, false
}

// forbiddenRune looks closer: what UTF-8 begins with 0xef may be U+FFFE or U+FFFF.
func forbiddenRune(s string) (bad rune, found bool) {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return r, true
		}
	}
	return 0, false
}
