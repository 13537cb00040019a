package images

import (
	"strings"
	"testing"
	"time"
)

// A build prints thousands of lines; a person sees one now and then, clean and short.
func TestStreamIsThin(t *testing.T) {
	var said strings.Builder
	p := newProgress(&said)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	s := p.stream()
	for i := range 100 {
		now = now.Add(time.Second)
		text := "line \x1b[2Kx" + strings.Repeat("y", i*10) + "\r\n"
		for _, c := range []byte(text) { // one byte at a time
			if n, err := s.Write([]byte{c}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 20 {
		t.Errorf("%d lines in 100 seconds, want one each 5", len(lines))
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "image:   line ?[2Kx") || len(line) > streamWidth+10 {
			t.Errorf("line %q", line)
		}
	}
	if n := strings.Count(s.tail(), "\n") + 1; n != streamTail {
		t.Errorf("the tail has %d lines", n)
	}
}
