package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	pb "rollcall/proto/rollcall/v1"
)

// A crashRegister is a client that records check-ins in a gallery's journal. Each has a request
// id of its own, which is also its By, so that the line can be found again.
type crashRegister struct {
	name    string
	gallery string

	rng     *rand.Rand
	drawn   int
	numbers map[string]uint64 // of the lines that were acknowledged, by request id
	unknown string            // the request id of the call that was not answered; "": there is none

	tally *crashTally
}

func (c *crashRegister) act(ctx context.Context, api crashAPI) error {
	id, again := one(c.rng, c.numbers), c.rng.IntN(4) == 0
	if id == "" || !again {
		c.drawn++
		id, again = fmt.Sprintf("%s-%d", c.name, c.drawn), false
	}
	return c.record(ctx, api, id, again)
}

// record records a check-in. If it is recorded again, it must get the same number.
func (c *crashRegister) record(ctx context.Context, api crashAPI, id string, again bool) error {
	a, err := askServer(ctx, api.journal.RecordCheckIn, &pb.RecordCheckInRequest{
		StudentId: "visitor-" + id, Method: pb.Method_METHOD_BY_HAND, By: id, RequestId: id,
	})
	switch {
	case errors.Is(err, errUnknown):
		if !again {
			c.unknown = id
			c.tally.unanswered("check in")
		}
		return err
	case err != nil:
		return fmt.Errorf("check-in %s: %w", id, err)
	case again && a.GetNumber() != c.numbers[id]:
		return fmt.Errorf("check-in %s is line %d, and was acknowledged as line %d", id, a.GetNumber(), c.numbers[id])
	}
	c.numbers[id] = a.GetNumber()
	if !again {
		c.tally.acknowledged("check in")
	}
	return nil
}

// check looks for each check-in in the journal. The one that was not answered is recorded again,
// as a client does.
func (c *crashRegister) check(ctx context.Context, api crashAPI, view *crashView) error {
	found := 0
	for id, lines := range view.checkIns {
		if !strings.HasPrefix(id, c.name+"-") {
			continue
		}
		number, known := c.numbers[id]
		switch {
		case len(lines) > 1:
			return fmt.Errorf("check-in %s is in the journal %d times", id, len(lines))
		case known && lines[0] != number:
			return fmt.Errorf("check-in %s is line %d, and was acknowledged as line %d", id, lines[0], number)
		case known:
			found++
		case id != c.unknown:
			return fmt.Errorf("check-in %s is in the journal, and nobody made it", id)
		}
	}
	if found != len(c.numbers) {
		return fmt.Errorf("%d check-ins of %s were acknowledged, and %d are in the journal", len(c.numbers), c.name, found)
	}
	if c.unknown == "" {
		return nil
	}
	id, there := c.unknown, view.checkIns[c.unknown]
	if len(there) > 0 {
		c.numbers[id] = there[0]
	}
	if err := c.record(ctx, api, id, len(there) > 0); err != nil {
		return err
	}
	c.unknown = ""
	c.tally.settled(len(there) > 0)
	return nil
}
