package models

import (
	"fmt"
	"slices"
	"strings"
)

// The messages name commands of the program, because their reader has to type one.
const (
	pullCommand   = "rollcall models pull"
	addCommand    = "rollcall models add"
	removeCommand = "rollcall models remove"
	listCommand   = "rollcall models list"
	acceptFlag    = "--accept-licence"
	trustFlag     = "--trust-first"
)

// maxDistance is in how many letters a known name may differ from the typed one and still be suggested.
const maxDistance = 2

// unknown returns an ErrUnknownModel that suggests names like the given one.
func (l *Library) unknown(name string) error {
	var names []string
	if list, err := l.List(); err == nil {
		for _, m := range list {
			names = append(names, m.Contract.Name)
		}
	}
	near := Similar(name, names)
	if len(near) == 0 {
		return fmt.Errorf("%w: %.64q; %q shows all models", ErrUnknownModel, name, listCommand)
	}
	return fmt.Errorf("%w: %.64q; did you mean %s?", ErrUnknownModel, name, strings.Join(near, " or "))
}

// Similar returns the names that somebody who typed name may have meant, in their order, without name
// itself.
func Similar(name string, names []string) []string {
	var near []string
	for _, known := range names {
		if known != name && (len(name) >= 3 && (strings.Contains(known, name) || strings.Contains(name, known)) ||
			len(name) <= len(known)+maxDistance && editDistance(name, known) <= maxDistance) {
			near = append(near, known)
		}
	}
	return near
}

// howToInstall is the command that installs the model.
func (m Model) howToInstall() string {
	c := m.Contract
	switch {
	case c.Source == nil:
		return fmt.Sprintf("run %q with your copy of its file", addCommand+" "+c.Name+" FILE")
	case c.SHA256 == "":
		return fmt.Sprintf("run %q, which says what you have to accept", pullCommand+" "+c.Name)
	case !c.Licence.Free:
		return fmt.Sprintf("read its licence (%s) and run %q", c.Licence.Name, pullCommand+" "+c.Name+" "+acceptFlag)
	}
	return fmt.Sprintf("run %q", pullCommand+" "+c.Name)
}

// noneInstalled returns an ErrNoneInstalled that says the easiest way to install a model.
func noneInstalled(kind Kind, list []Model) error {
	slices.SortStableFunc(list, func(a, b Model) int { return a.effort() - b.effort() })
	way := fmt.Sprintf("run %q with a file of your own", addCommand+" NAME FILE")
	if len(list) > 0 && list[0].Contract.Source != nil {
		way = list[0].howToInstall()
	}
	return fmt.Errorf("%w: no %s; %s (%q shows all models)", ErrNoneInstalled, kind, way, listCommand)
}

// effort orders models by how much a user has to do before using them.
func (m Model) effort() int {
	switch {
	case m.Contract.Source == nil:
		return 2
	case !m.Contract.Licence.Free || m.Contract.SHA256 == "":
		return 1
	}
	return 0
}

func damaged(m Model) error {
	name := m.Contract.Name
	return fmt.Errorf("%w: %s: %s; run %q and install it again", ErrDamaged, name, m.Damage, removeCommand+" "+name)
}

// licenceRefused returns an ErrLicence with everything that the user has to know before accepting.
func licenceRefused(c Contract) error {
	text := c.Title + " has the licence \"" + c.Licence.Name + "\""
	if c.Licence.Note != "" {
		text += ". " + strings.TrimSuffix(c.Licence.Note, ".")
	}
	if c.Licence.URL != "" {
		text += ". The whole text: " + c.Licence.URL
	}
	return fmt.Errorf("%w: %s. If you may use it, repeat with %s", ErrLicence, text, acceptFlag)
}

// trustRefused returns an ErrNoDigest that says which risk the user would take.
func trustRefused(c Contract, mirror string) error {
	from := "the mirror"
	if mirror == "" {
		from = (&download{url: c.Source.URL}).host()
	}
	return fmt.Errorf("%w: nobody has published it. Whoever serves the file at %s decides what the model is, and Rollcall cannot tell a wrong file from the right one. "+
		"If you accept the first file that comes, repeat with %s: Rollcall tries it out, and the model is locked to it from then on. If you know the digest, download the file and run %q",
		ErrNoDigest, from, trustFlag, addCommand+" "+c.Name+" FILE --sha256 DIGEST")
}

// editDistance is the Levenshtein distance of a and b in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
