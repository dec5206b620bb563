package gallery

// order makes concurrent changes take their last step, in memory, in the order
// in which they were applied to storage. It is a chain: each turn waits for the
// one before, so that no sequence number is compared and none can be skipped.
//
// Joining needs the lock that orders the changes; waiting needs none.
type order struct {
	tail chan struct{} // closed once the last turn has passed
}

func newOrder() order {
	tail := make(chan struct{})
	close(tail)
	return order{tail: tail}
}

// join appends a turn. Its holder must call pass, whatever happens.
func (o *order) join() turn {
	t := turn{before: o.tail, done: make(chan struct{})}
	o.tail = t.done
	return t
}

// turn is a place in the order.
type turn struct {
	before <-chan struct{}
	done   chan struct{}
}

// wait returns when every turn before has passed.
func (t turn) wait() { <-t.before }

// pass lets the next turn go.
// REQUIRES: wait has returned.
func (t turn) pass() { close(t.done) }
