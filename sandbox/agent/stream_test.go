//go:build linux

package agent

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestSilence: the end of stdin is lost when the engine dies, so a host that
// says nothing is a host that is gone.
func TestSilence(t *testing.T) {
	in, host, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	defer in.Close()
	s := newStream(in, nil, 20*time.Millisecond)
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "20ms") {
		t.Errorf("ended with %v", err)
	}
}

// TestStreamEnds: the end of stdin is the end of the agent, and no error.
func TestStreamEnds(t *testing.T) {
	in, host, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := newStream(in, nil, time.Hour)
	host.Close()
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("read at the end")
	}
	if err := <-s.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}
