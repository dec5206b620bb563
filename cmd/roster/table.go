package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table reads a CSV file with a header, row by row. After the first error it has no more rows.
type table struct {
	name    string
	rows    *csv.Reader
	columns map[string]int // by their names in lower case
	row     []string
	err     error
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// openTable reads the header, which must have the columns that are needed.
func openTable(from io.Reader, name string, needed ...string) (*table, error) {
	limited := &io.LimitedReader{R: from, N: mostBytes}
	text := bufio.NewReader(limited)
	if begin, err := text.Peek(len(byteOrderMark)); err == nil && bytes.Equal(begin, byteOrderMark) {
		if _, err := text.Discard(len(begin)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	t := &table{name: name, rows: csv.NewReader(&fullReader{text, limited}), columns: make(map[string]int)}
	t.rows.ReuseRecord = true
	header, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: the file is empty: its first line has to name the columns %s", name, strings.Join(needed, " and "))
	}
	if err != nil {
		return nil, t.broken(err)
	}
	for i, column := range header {
		column = strings.ToLower(strings.TrimSpace(column))
		if _, twice := t.columns[column]; twice && slices.ContainsFunc(needed, func(n string) bool { return strings.EqualFold(n, column) }) {
			return nil, fmt.Errorf("%s: there are two columns %s", t.at(i), column)
		}
		t.columns[column] = i
	}
	for _, column := range needed {
		if !t.has(column) {
			return nil, fmt.Errorf("%s: the first line names no column %s: it has to name the columns %s, separated by commas", name, column, strings.Join(needed, " and "))
		}
	}
	return t, nil
}

// fullReader is an error where a file is longer than is read of it, and not its end.
type fullReader struct {
	io.Reader
	limited *io.LimitedReader
}

func (f *fullReader) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) && f.limited.N <= 0 {
		err = fmt.Errorf("it has more than %d MiB", mostBytes>>20)
	}
	return n, err
}

// has says whether there is a column.
func (t *table) has(column string) bool {
	_, has := t.columns[strings.ToLower(column)]
	return has
}

// next goes to the next row, and reports whether there is one.
func (t *table) next() bool {
	if t.err != nil {
		return false
	}
	row, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return false
	}
	if err != nil {
		t.err = t.broken(err)
		return false
	}
	for i, field := range row {
		if !utf8.ValidString(field) {
			t.err = fmt.Errorf("%s: the text is not UTF-8: save the file as CSV in UTF-8", t.at(i))
			return false
		}
	}
	t.row = row
	return true
}

// get returns what the row has in a column; "" where there is no such column.
func (t *table) get(column string) string {
	i, has := t.columns[strings.ToLower(column)]
	if !has {
		return ""
	}
	return t.row[i]
}

// fail ends the reading with what is wrong in a column of the row.
func (t *table) fail(column string, err error) {
	if t.err == nil {
		t.err = fmt.Errorf("%s: %w", t.at(t.columns[strings.ToLower(column)]), err)
	}
}

// at says where field i of the row is. It counts columns in bytes, as compilers do.
func (t *table) at(i int) string {
	line, column := t.rows.FieldPos(i)
	return fmt.Sprintf("%s:%d:%d", t.name, line, column)
}

// broken says where the file is no CSV.
func (t *table) broken(err error) error {
	var where *csv.ParseError
	switch {
	case !errors.As(err, &where):
		return fmt.Errorf("%s: %w", t.name, err)
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s:%d:%d: the row has not as many fields as the first line: put texts with a comma into quotes", t.name, where.Line, where.Column)
	}
	return fmt.Errorf("%s:%d:%d: %w", t.name, where.Line, where.Column, where.Err)
}
