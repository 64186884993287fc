package blob

import (
	"fmt"
	"regexp"
	"strings"
)

var keyForm = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)

// CheckKey refuses what is no key.
func CheckKey(key string) error {
	if !keyForm.MatchString(key) {
		return fmt.Errorf("blob: bad key %q", key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("blob: bad key %q", key)
		}
	}
	return nil
}
