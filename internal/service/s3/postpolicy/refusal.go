package postpolicy

import "fmt"

// refusal is an error in the words of S3, which are sentences.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }
