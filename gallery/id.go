package gallery

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"rollcall/storage"
)

// MaxGroups is how many groups a student may be in: far above a timetable, and a
// bound on what repeated enrolments can add to one record.
const MaxGroups = 1000

// parseID returns an id as the gallery keeps it, in NFC: another keyboard or file
// system may write the same name in other bytes. It returns ErrInvalidID unless the
// id is well formed. What names the kind of id. The error does not repeat the id,
// which may hold anything.
//
// Every exported call parses the ids that its caller gives, and no other ids.
func parseID(what, id string) (string, error) {
	if !utf8.ValidString(id) {
		return "", fmt.Errorf("%w: %s id is not UTF-8", ErrInvalidID, what)
	}
	id = norm.NFC.String(id)
	switch {
	case id == "":
		return "", fmt.Errorf("%w: empty %s id", ErrInvalidID, what)
	case len(id) > storage.MaxIDBytes:
		return "", fmt.Errorf("%w: %s id is longer than %d bytes", ErrInvalidID, what, storage.MaxIDBytes)
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return "", fmt.Errorf("%w: %s id has a control character", ErrInvalidID, what)
		}
		if invisible(r) && r != joiner && r != nonJoiner {
			return "", fmt.Errorf("%w: %s id has an invisible character (%U)", ErrInvalidID, what, r)
		}
	}
	first, _ := utf8.DecodeRuneInString(id)
	last, _ := utf8.DecodeLastRuneInString(id)
	for _, r := range []rune{first, last} {
		if unicode.IsSpace(r) || invisible(r) {
			return "", fmt.Errorf("%w: %s id begins or ends with a blank or an invisible character (%U)", ErrInvalidID, what, r)
		}
	}
	return id, nil
}

// StudentID returns the id of a student as galleries keep it, in NFC, or ErrInvalidID. It
// is for a student that need not be enrolled.
func StudentID(id string) (string, error) { return parseID("student", id) }

// GroupID is StudentID for a group.
func GroupID(id string) (string, error) { return parseID("group", id) }

// parseIDs parses a list.
func parseIDs(what string, ids []string) ([]string, error) {
	parsed := make([]string, len(ids))
	for i, id := range ids {
		var err error
		if parsed[i], err = parseID(what, id); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// Persian and Indian names need these two inside a word.
const (
	nonJoiner = '\u200c'
	joiner    = '\u200d'
)

// invisible reports whether an id looks the same without r. Nobody could tell two
// such students apart. Variation selectors do not count as invisible: Japanese
// names need them.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
		unicode.In(r, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) ||
		r == '\u2800' // Braille without dots
}

// parseIfAny is parseID for an id that may be empty.
func parseIfAny(what, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	return parseID(what, id)
}

// groupSet returns the groups sorted, each once, as storage keeps them.
func groupSet(groups ...string) ([]string, error) {
	groups, err := parseIDs("group", groups)
	if err != nil {
		return nil, err
	}
	set := slices.Compact(slices.Sorted(slices.Values(groups)))
	if len(set) > MaxGroups {
		return nil, fmt.Errorf("%w: a student in more than %d groups", ErrInvalidID, MaxGroups)
	}
	return set, nil
}
