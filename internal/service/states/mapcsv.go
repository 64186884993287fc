package states

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"cirro/internal/asl/document"
	"cirro/internal/service/states/engine"
)

// rows are the rows of a file of delimited text.
type rows struct {
	io.Closer
	r       *delimited
	headers []string
	source  string
}

// maxHeaders bounds the names of columns, in bytes.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html#itemreader-field-contents
const maxHeaders = 10 << 10

func (r *mapReader) csv(body io.ReadCloser, source string) (*rows, error) {
	out := &rows{body, newDelimited(body, r.config.CSVDelimiter), r.config.CSVHeaders, source}
	if r.config.CSVHeaderLocation != "FIRST_ROW" && len(out.headers) > 0 {
		return out, nil
	}
	if r.config.CSVHeaderLocation == "GIVEN" {
		return nil, engine.ReaderFailed("CSVHeaders must be given where CSVHeaderLocation is GIVEN")
	}
	headers, err := out.r.record()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	size := 0
	for _, name := range headers {
		size += len(name)
	}
	if size > maxHeaders {
		return nil, engine.ReaderFailed("The header has more than %d bytes", maxHeaders)
	}
	out.headers = headers
	return out, nil
}

func (r *rows) Next(context.Context) (item engine.Item, ok bool, err error) {
	row, err := r.r.record()
	if errors.Is(err, io.EOF) {
		return item, false, nil
	}
	if err != nil {
		return item, false, err
	}
	o := document.NewObject()
	for i, name := range r.headers {
		v := ""
		if i < len(row) {
			v = row[i]
		}
		o.Set(name, v)
	}
	return engine.Item{Value: o, Source: r.source}, true, nil
}

// delimited reads records of delimited text, as the service does: fields in quotes may have delimiters and ends of lines
// within; a quote is doubled there, or follows a backslash, as delimiters and backslashes may; any other backslash is
// dropped.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html#itemsource-example-csv-data
type delimited struct {
	r         *bufio.Reader
	delimiter byte
	size      int // of the record that is being read
}

func newDelimited(r io.Reader, delimiter string) *delimited {
	d := &delimited{r: bufio.NewReaderSize(r, 64<<10), delimiter: ','}
	if c, ok := map[string]byte{"PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}[delimiter]; ok {
		d.delimiter = c
	}
	if mark, err := d.r.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = d.r.Discard(3) // they are there
	}
	return d
}

// record is the next record that is not empty; io.EOF after the last.
func (d *delimited) record() ([]string, error) {
	for {
		fields, empty, err := d.line()
		if err != nil || !empty {
			return fields, err
		}
	}
}

func (d *delimited) read() (byte, error) {
	c, err := d.r.ReadByte()
	if err == nil {
		if d.size++; d.size > maxLine {
			err = engine.ReaderFailed("A record has more than %d bytes", maxLine)
		}
	}
	return c, err
}

// line reads one record, and reports whether it is an empty line.
func (d *delimited) line() (fields []string, empty bool, err error) {
	d.size = 0
	var b strings.Builder
	quoted, wasQuoted := false, false
	end := func() ([]string, bool, error) {
		empty := len(fields) == 0 && b.Len() == 0 && !wasQuoted
		return append(fields, b.String()), empty, nil
	}
	for {
		c, err := d.read()
		switch {
		case errors.Is(err, io.EOF) && quoted:
			return nil, false, engine.ReaderFailed("A field in quotes does not end")
		case errors.Is(err, io.EOF) && d.size == 0:
			return nil, false, io.EOF
		case errors.Is(err, io.EOF):
			fields, empty, err := end()
			if empty {
				err = io.EOF
			}
			return fields, empty, err
		case err != nil:
			return nil, false, err
		}
		next, _ := d.r.Peek(1) // what is wrong is told when it is read
		follows := func(c byte) bool { return len(next) > 0 && next[0] == c }
		switch {
		case c == '\\':
			if follows('\\') || follows('"') || follows(d.delimiter) {
				c, _ = d.read() // it is there
				b.WriteByte(c)
			}
		case quoted && c == '"' && follows('"'):
			c, _ = d.read()
			b.WriteByte(c)
		case quoted && c == '"':
			quoted = false
		case quoted:
			b.WriteByte(c)
		case c == '"' && b.Len() == 0 && !wasQuoted:
			quoted, wasQuoted = true, true
		case c == d.delimiter:
			fields, wasQuoted = append(fields, b.String()), false
			b.Reset()
		case c == '\r' && follows('\n'):
		case c == '\n':
			return end()
		default:
			b.WriteByte(c)
		}
	}
}
