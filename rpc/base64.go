package rpc

import (
	"bytes"
	"encoding/hex"
	"fmt"
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

// plainLength returns how many characters at the beginning of a text stay as they are,
// which most of the time are all. Looking at each of them closely took as long as all
// else that is done with the request.
func plainLength(text []byte) int {
	for i, c := range text {
		if base64Of[c] != c || c <= ' ' || c == '=' {
			return i
		}
	}
	return len(text)
}

// base64 reads bytes, and rewrites them in their place to the one way that protojson
// always takes: the standard alphabet without blanks and padding. Which line breaks
// protojson takes depends on the length of the picture. What becomes free is blanks
// after the text.
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
	to, ended := 0, false
	for from < len(text) {
		if n := plainLength(text[from:]); n > 0 && !ended {
			copy(text[to:], text[from:from+n])
			from, to = from+n, to+n
			continue
		}
		c, n := unescaped(text[from:])
		meant := base64Of[c]
		switch {
		case meant == ' ':
		case meant == '=':
			ended = true
		case meant == 0 || ended:
			return &fieldProblem{what: fmt.Sprintf("is not base64: byte %d of the text is wrong (make base64 with: base64 FILE)", from+1)}
		default:
			text[to] = meant
			to++
		}
		from += n
	}
	if to%4 == 1 {
		return &fieldProblem{what: "is not base64: the text was cut off (make base64 with: base64 FILE)"}
	}
	if bounds.bytes > 0 && to*3/4 > bounds.bytes {
		return bounds.tooLong()
	}
	r.text[start+to] = '"'
	for i := start + to + 1; i < r.at; i++ {
		r.text[i] = ' '
	}
	return nil
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
