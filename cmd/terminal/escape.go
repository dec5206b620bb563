package terminal

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns s in a form that is safe on a terminal. Some characters would control the
// terminal, reverse the text around them, or be invisible: these are written as in Go, such as
// \x1b and \u202e. So are bytes that are not UTF-8. Names come from elsewhere and may hold
// anything.
func Escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r), r == joiner, r == nonJoiner:
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// Persian names and names in languages of India cannot be written correctly without these two.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// Printf is [fmt.Fprintf], but strings and errors among the arguments go through [Escape].
func Printf(out io.Writer, format string, args ...any) error {
	escaped := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			arg = Escape(v)
		case error:
			arg = Escape(v.Error())
		}
		escaped[i] = arg
	}
	_, err := fmt.Fprintf(out, format, escaped...)
	return err
}
