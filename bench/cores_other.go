//go:build !linux

package bench

// onOtherCores runs start. Elsewhere than on Linux, the process that it starts shares the cores with this one.
func onOtherCores(start func() error) (together func() error, err error) {
	return func() error { return nil }, start()
}
