package rpc

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// part does one part of a call on a goroutine of group, the only way that a handler
// starts one. A panic in it would end the process: Connect recovers the handler's own
// goroutine alone. So it becomes the error that a panicking handler answers with.
// done takes the error of do, or nil, and returns what group is to end with.
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
