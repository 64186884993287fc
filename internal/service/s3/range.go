package s3

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRange is a part of a body.
type byteRange struct{ Offset, Length int64 }

// parseRange reads a Range header for a body of some size. There is none (false) where the header is not one range of
// bytes: S3 then sends the whole. One that begins behind the end is InvalidRange.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func parseRange(header string, size int64) (byteRange, bool, error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return byteRange{}, false, nil
	}
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return byteRange{}, false, nil
	}
	if first = strings.TrimSpace(first); first == "" {
		n, err := parseOffset(last)
		if err != nil {
			return byteRange{}, false, nil
		}
		if n == 0 || size == 0 {
			return byteRange{}, false, unsatisfiable(header, size)
		}
		n = min(n, size)
		return byteRange{size - n, n}, true, nil
	}
	from, err := parseOffset(first)
	if err != nil {
		return byteRange{}, false, nil
	}
	to := size - 1
	if last = strings.TrimSpace(last); last != "" {
		if to, err = parseOffset(last); err != nil || to < from {
			return byteRange{}, false, nil
		}
		to = min(to, size-1)
	}
	if from >= size {
		return byteRange{}, false, unsatisfiable(header, size)
	}
	return byteRange{from, to - from + 1}, true, nil
}

// parseOffset reads digits alone. More than fit count as very many.
func parseOffset(s string) (int64, error) {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	if len(s) > 18 {
		return 1 << 60, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

func unsatisfiable(header string, size int64) error {
	return invalidRange.New("The requested range is not satisfiable").
		With("RangeRequested", header).With("ActualObjectSize", strconv.FormatInt(size, 10)).
		WithHeader("Content-Range", fmt.Sprintf("bytes */%d", size))
}

// contentRange is the header that tells which part of a body is sent.
func (r byteRange) contentRange(size int64) *string {
	return new(fmt.Sprintf("bytes %d-%d/%d", r.Offset, r.Offset+r.Length-1, size))
}

// parseCopyRange reads the range of a part that is copied, which must be one and lie within the source.
func parseCopyRange(header string, size int64) (byteRange, error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	from, err1 := parseOffset(first)
	to, err2 := parseOffset(last)
	if !ok || !dash || first == "" || last == "" || err1 != nil || err2 != nil || from > to {
		return byteRange{}, invalidArgument.New("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy").
			With("ArgumentName", "x-amz-copy-source-range").With("ArgumentValue", header)
	}
	if to >= size {
		return byteRange{}, invalidArgument.New("Range specified is not valid for source object of size: %d", size).
			With("ArgumentName", "x-amz-copy-source-range").With("ArgumentValue", header)
	}
	return byteRange{from, to - from + 1}, nil
}
