//go:build !linux

package sandbox

import (
	"errors"
	"os"
)

func newImageFile() (*os.File, error) {
	return nil, errors.New("this system has no files in memory that can be sealed")
}

func (i *image) seal() error { return errors.ErrUnsupported }
