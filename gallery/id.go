package gallery

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"rollcall/storage"
)

// MaxGroups is how many groups a student may be in: far above a timetable, and a
// bound on what repeated enrolments can heap onto one record.
const MaxGroups = 1000

// checkID returns ErrInvalidID unless id is well formed. What names the kind of
// id. The id itself is not repeated: it may be anything.
func checkID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: empty %s id", ErrInvalidID, what)
	case len(id) > storage.MaxIDBytes:
		return fmt.Errorf("%w: %s id is longer than %d bytes", ErrInvalidID, what, storage.MaxIDBytes)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: %s id is not UTF-8", ErrInvalidID, what)
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: %s id has a control character", ErrInvalidID, what)
		}
	}
	return nil
}

// checkIfAny is checkID for an id that may be empty.
func checkIfAny(what, id string) error {
	if id == "" {
		return nil
	}
	return checkID(what, id)
}

// checkIDs returns the first error of checkID.
func checkIDs(what string, ids []string) error {
	for _, id := range ids {
		if err := checkID(what, id); err != nil {
			return err
		}
	}
	return nil
}

// groupSet returns the groups sorted, each once, as storage keeps them.
func groupSet(groups ...string) ([]string, error) {
	if err := checkIDs("group", groups); err != nil {
		return nil, err
	}
	set := slices.Compact(slices.Sorted(slices.Values(groups)))
	if len(set) > MaxGroups {
		return nil, fmt.Errorf("%w: a student in more than %d groups", ErrInvalidID, MaxGroups)
	}
	return set, nil
}
