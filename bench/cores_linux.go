package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// onOtherCores runs start, which starts a process, so that the process has one half of the cores, and this
// process has the other half until it calls together. On one core both share it.
func onOtherCores(start func() error) (together func() error, err error) {
	var all, theirs, ours unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("find out which cores there are: %w", err)
	}
	if all.Count() < 2 {
		return func() error { return nil }, start()
	}
	for core := range len(all) * strconv.IntSize {
		switch {
		case !all.IsSet(core):
		case theirs.Count() < all.Count()/2:
			theirs.Set(core)
		default:
			ours.Set(core)
		}
	}
	// A process begins with the cores of the thread that starts it.
	runtime.LockOSThread()
	err = unix.SchedSetaffinity(0, &theirs)
	if err == nil {
		err = start()
	}
	runtime.UnlockOSThread()
	before := runtime.GOMAXPROCS(ours.Count())
	together = func() error {
		runtime.GOMAXPROCS(before)
		return useCores(&all)
	}
	if err = errors.Join(err, useCores(&ours)); err != nil {
		return nil, errors.Join(err, together())
	}
	return together, nil
}

// useCores gives this process some cores: each of its threads, of which later ones are copies.
func useCores(cores *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("share the cores: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return fmt.Errorf("share the cores: %w", err)
		}
		if err := unix.SchedSetaffinity(id, cores); err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return fmt.Errorf("share the cores: %w", err)
		}
	}
	return nil
}
