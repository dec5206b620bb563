package bench

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progressEvery is how often a long piece of work says how far it is.
const progressEvery = 5 * time.Second

// meter tells how far a piece of work is, in lines. It is safe for concurrent
// use.
type meter struct {
	out   io.Writer
	what  string
	total int

	mu     sync.Mutex // guards the fields that follow
	done   int
	spoken time.Time
}

func newMeter(out io.Writer, what string, total int) *meter {
	fmt.Fprintf(out, "%s …\n", what)
	return &meter{out: out, what: what, total: total, spoken: time.Now()}
}

// step counts one piece.
func (m *meter) step() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	if now := time.Now(); now.Sub(m.spoken) >= progressEvery {
		m.spoken = now
		fmt.Fprintf(m.out, "%s: %d of %d\n", m.what, m.done, m.total)
	}
}
