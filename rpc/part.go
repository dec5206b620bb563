package rpc

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// part does one part of a call in a goroutine of group. Handlers start goroutines only
// with it. A panic in another goroutine would end the process, because Connect recovers
// only the handler's own. So part turns a panic into the error that a panicking handler
// answers with. done takes the error of do, or nil, and returns the error for group.
func (s *Server) part(ctx context.Context, group *errgroup.Group, do func() error, done func(error) error) {
	group.Go(func() error {
		err := func() (err error) {
			defer func() {
				if value := recover(); value != nil {
					err = s.panicked(ctx, value)
				}
			}()
			return do()
		}()
		return done(err)
	})
}
