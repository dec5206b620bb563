package access

import (
	"errors"

	"rollcall/storage"
)

var (
	// ErrInvalid says that a text is no token, or not one of this server.
	ErrInvalid = errors.New("this is not a token of this server: ask an administrator for one")
	// ErrExpired says that a token was good and has expired.
	ErrExpired = errors.New("the token has expired: ask an administrator for a new one")
	// ErrRevoked says that a token was good and was revoked.
	ErrRevoked = errors.New("the token was revoked: ask an administrator for a new one")
	// ErrNotFound says that there is no token with an id.
	ErrNotFound = errors.New("there is no token with this id")
	// ErrInvalidCode says that a pairing code is not one that can be used now.
	ErrInvalidCode = errors.New("this is no pairing code, or it was used, or its ten minutes are over: ask for a new one")
	// ErrTooMany says that there are too many sessions or pairing codes already.
	ErrTooMany = errors.New("there are too many already")
	// ErrReadOnly is [storage.ErrReadOnly]: the disk is nearly full. Nothing was changed.
	ErrReadOnly = storage.ErrReadOnly
	// ErrUnavailable says that nobody knows what the disk has stored.
	ErrUnavailable = errors.New("the tokens could not be stored: look which there are, and try again")
)

// A RequestError says why a token cannot be made as it was asked for.
type RequestError struct {
	Field string // of Token, in lower case: "groups"
	What  string // what is wrong, and what to do
}

func (e *RequestError) Error() string { return e.What }
