// Package access decides who may do what: the roles of callers, the galleries that they
// may use, the tokens by which they are known, and how often they may ask.
//
// [OpenTokens] reads the tokens of a server. [Tokens.Check] says who calls with one.
// Browsers and tablets do not keep a token: they buy a session with one
// ([Tokens.Session]), or with a pairing code that an administrator shows ([Tokens.Pair]).
package access

import (
	"slices"

	"golang.org/x/text/unicode/norm"
)

// Role is what a caller is for, and so what it may do. Which calls a role may make is said
// in package rpc, which knows the calls.
type Role string

// The roles.
const (
	// CheckIn asks who is on a crop: the door, the tablet.
	CheckIn Role = "checkin"
	// Register reads verdicts and records attendance: the attendance system behind.
	Register Role = "register"
	// Enroll may do what CheckIn may, and enrols and corrects crops and students: the office.
	Enroll Role = "enroll"
	// Admin may do everything.
	Admin Role = "admin"
	// Metrics reads the metrics.
	Metrics Role = "metrics"
)

// Roles are all roles.
var Roles = []Role{CheckIn, Register, Enroll, Admin, Metrics}

// Caller is who makes a call. It is a value: nothing changes it.
type Caller struct {
	// Token is the id of the caller's token, which is no secret; "": nobody has to log in.
	Token string
	// Name is what the administrator called the token.
	Name string
	Role Role
	// Galleries are the ids of the galleries that the caller may use; empty: all.
	Galleries []string
	// Groups are those that a CheckIn may ask about; empty: all.
	Groups []string
	// Embeddings says that the caller may get embeddings. A face can be rebuilt from one.
	Embeddings bool
}

// Anybody is who makes a call on a server where nobody has to log in.
var Anybody = Caller{Role: Admin}

// MayUse says whether the caller may use the gallery with this id.
func (c Caller) MayUse(gallery string) bool {
	return len(c.Galleries) == 0 || slices.Contains(c.Galleries, norm.NFC.String(gallery))
}

// MayManage says whether the caller, an admin, may make, see and revoke a token with
// these galleries: one that can do no more than the caller.
func (c Caller) MayManage(galleries []string) bool {
	if len(c.Galleries) == 0 {
		return true
	}
	return len(galleries) > 0 && !slices.ContainsFunc(galleries, func(id string) bool { return !c.MayUse(id) })
}
