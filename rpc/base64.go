package rpc

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
)

// base64Of says what each byte of a base64 text means: a character of the standard
// alphabet (the two of the URL alphabet are translated to it); a blank, which is left
// out; or 0, which does not belong in base64.
var base64Of = func() (table [256]byte) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") {
		table[c] = c
	}
	table['-'], table['_'] = '+', '/'
	for _, c := range []byte(" \t\r\n") {
		table[c] = ' '
	}
	return table
}()

// base64 reads bytes. It decodes them at once and takes them out of the text, so that protojson does not copy
// them, look at them again and refuse what it does not know: which line breaks it takes depends on the length
// of the picture.
// REQUIRES: a quote begins here.
func (r *jsonReader) base64(bounds bounds) error {
	start := r.at + 1
	text, err := r.quoted()
	if err != nil {
		return err
	}
	from, err := dataURLPrefix(text)
	if err != nil {
		return err
	}
	value, err := decoded(text, from)
	if err != nil {
		return err
	}
	if bounds.bytes > 0 && len(value) > bounds.bytes {
		return bounds.tooLong()
	}
	r.found = append(r.found, foundBytes{path: slices.Clone(r.path), value: value, from: start, to: r.at - 1})
	return nil
}

// decoded returns the bytes that a text means from some place on. It may write into the text.
func decoded(text []byte, from int) ([]byte, error) {
	// Nearly all texts are plain.
	plain := bytes.TrimSuffix(bytes.TrimSuffix(text[from:], []byte("=")), []byte("="))
	value := make([]byte, base64.RawStdEncoding.DecodedLen(len(plain)))
	if n, err := base64.RawStdEncoding.Decode(value, plain); err == nil {
		return value[:n], nil
	}
	plain, err := plainBase64(text, from)
	if err != nil {
		return nil, err
	}
	n, err := base64.RawStdEncoding.Decode(value, plain)
	return value[:n], err
}

// plainBase64 rewrites a base64 text from some place on, in its place: to the standard alphabet without blanks,
// escapes and padding.
func plainBase64(text []byte, from int) ([]byte, error) {
	to, ended := 0, false
	for from < len(text) {
		c, n := unescaped(text[from:])
		meant := base64Of[c]
		switch {
		case meant == ' ':
		case meant == '=':
			ended = true
		case meant == 0 || ended:
			return nil, &fieldProblem{what: fmt.Sprintf("is not base64: byte %d of the text is wrong (make base64 with: base64 FILE)", from+1)}
		default:
			text[to] = meant
			to++
		}
		from += n
	}
	if to%4 == 1 {
		return nil, &fieldProblem{what: "is not base64: the text was cut off (make base64 with: base64 FILE)"}
	}
	return text[:to], nil
}

// dataURLPrefix returns the length of the part before the base64 of a data URL
// ("data:image/jpeg;base64,"); 0 if the text is no data URL.
func dataURLPrefix(text []byte) (int, error) {
	if !bytes.HasPrefix(text, []byte("data:")) {
		return 0, nil
	}
	const mark = ";base64,"
	at := bytes.Index(text, []byte(mark))
	if at < 0 {
		return 0, &fieldProblem{what: "is a data URL without base64: write it as data:image/jpeg;base64,… or send the base64 alone"}
	}
	return at + len(mark), nil
}

// unescaped returns the first character of a JSON text and how many bytes it takes
// there. The character is 0 if it cannot be part of base64. PHP escapes the slash,
// .NET the plus sign.
func unescaped(text []byte) (c byte, n int) {
	if text[0] != '\\' || len(text) < 2 {
		return text[0], 1
	}
	switch text[1] {
	case 'n', 'r', 't':
		return ' ', 2
	case '/':
		return '/', 2
	case 'u':
		var code [2]byte
		if len(text) < 6 {
			return 0, 2
		}
		if _, err := hex.Decode(code[:], text[2:6]); err == nil && code[0] == 0 {
			return code[1], 6
		}
	}
	return 0, 2
}
