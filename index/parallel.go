package index

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// processors returns how many goroutines can run at once.
func processors() int { return runtime.GOMAXPROCS(0) }

// inParallel does the work for 0 to n-1 in pieces, on as many goroutines as it is
// worth starting, at most workers.
func inParallel(n, workers int, work func(from, to int)) {
	const piece = 16 // some microseconds' work, which is more than starting a goroutine costs
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
