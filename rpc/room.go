package rpc

import (
	"context"
	"sync"
)

// room is the memory that the bodies of requests may take. It is fair to callers: none
// holds more than is left for all others. So one that sends slowly, over any number of
// connections, holds at most half, and a second one at most a third: the door still finds
// some. It is safe for concurrent use.
type room struct {
	total int64

	mu       sync.Mutex       // guards the fields that follow
	held     int64            // of the total
	byCaller map[string]int64 // the same, by who holds it
}

func newRoom(total int64) *room { return &room{total: total, byCaller: make(map[string]int64)} }

// share is what one caller may hold of a room.
type share struct {
	room   *room
	caller string // the id of the token; "": it has none
	alone  bool   // nobody has to log in: the only caller may hold all
}

// share returns that of who makes a call.
func (s *Server) share(ctx context.Context) share {
	return share{s.room, knownCaller(ctx).Token, !s.open.Load().api.Tokens.Any()}
}

// take takes n bytes, and says whether there was room.
func (s share) take(n int64) bool {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.total - r.held - n
	if left < 0 || !s.alone && r.byCaller[s.caller]+n > left {
		return false
	}
	r.held += n
	r.byCaller[s.caller] += n
	return true
}

// giveBack gives back n bytes that were taken.
func (s share) giveBack(n int64) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= n
	if r.byCaller[s.caller] -= n; r.byCaller[s.caller] == 0 {
		delete(r.byCaller, s.caller)
	}
}
