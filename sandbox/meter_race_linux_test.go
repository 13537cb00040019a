package sandbox

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A directory that becomes a pipe between the look and the opening must not
// hold up the measuring: a box would be rid of its quota for good.
func TestI7MeterWaitsForNoPipe(t *testing.T) {
	dir := plant(t, map[string]int{"sub/file": 1})
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := NewDirMeter(dir, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	done, measured := make(chan struct{}), make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "sub"), unix.AT_FDCWD, filepath.Join(dir, "pipe"), unix.RENAME_EXCHANGE)
			}
		}
	})
	go func() {
		defer close(measured)
		for range 200 {
			if _, err := m.Usage(context.Background(), RankNone); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-measured:
		m.Close()
	case <-time.After(time.Minute):
		t.Error("the host is held up")
	}
	close(done)
	swapper.Wait()
}
