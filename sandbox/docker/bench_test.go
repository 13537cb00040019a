package docker

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/sandbox"
)

// A box from nothing to its first byte, and its end.
func BenchmarkBox(b *testing.B) {
	e := testEngine(b)
	s := testSpec(b, e)
	e.log = hclog.NewNullLogger()
	openBox(b, e, s).Close() // the agent's volume and the engine's check
	var start, end time.Duration
	for b.Loop() {
		began := time.Now()
		c, err := e.Start(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		started := time.Now()
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		start += started.Sub(began)
		end += time.Since(started)
	}
	b.ReportMetric(float64(start.Milliseconds())/float64(b.N), "ms/start")
	b.ReportMetric(float64(end.Milliseconds())/float64(b.N), "ms/close")
}

// What it costs more when the agent has to hash itself.
func BenchmarkCheckedStart(b *testing.B) {
	e := testEngine(b)
	s := testSpec(b, e)
	openBox(b, e, s).Close()
	img, err := e.imageFacts(b.Context(), s.Image)
	if err != nil {
		b.Fatal(err)
	}
	for _, check := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "checked"}[check], func(b *testing.B) {
			for b.Loop() {
				c, err := e.startFrom(b.Context(), s, img, *e.facts, e.provenAgent(), check)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				c.Close()
				b.StartTimer()
			}
		})
	}
}

// The turn-around of a call in a box that runs.
func BenchmarkCall(b *testing.B) {
	e := testEngine(b)
	box := openBox(b, e, testSpec(b, e))
	c := sandbox.Command{Args: []string{"/bin/true"}, Head: 100, Tail: 100, Timeout: 10 * time.Second}
	for b.Loop() {
		if r, err := box.Run(b.Context(), c); err != nil || !r.Success() {
			b.Fatal(r, err)
		}
	}
}
