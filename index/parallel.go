package index

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// processors returns how many goroutines can run at once.
func processors() int { return runtime.GOMAXPROCS(0) }

// inParallel does the work from 0 to before n in pieces, on as many goroutines as
// are worth starting, workers at most.
func inParallel(n, workers int, work func(from, to int)) {
	const piece = 16 // some microseconds' work: less than that costs starting a goroutine
	var next atomic.Int64
	loop := func() {
		for {
			from := int(next.Add(piece)) - piece
			if from >= n {
				return
			}
			work(from, min(from+piece, n))
		}
	}
	var others sync.WaitGroup
	for range min(workers, n/piece) - 1 {
		others.Go(loop)
	}
	loop()
	others.Wait()
}
