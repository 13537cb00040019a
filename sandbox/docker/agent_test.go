package docker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/volume"

	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
)

func programOf(t testing.TB, a binary.Agent) []byte {
	t.Helper()
	program, err := io.ReadAll(io.NewSectionReader(a.Program, 0, a.Size))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func agentOf(program []byte) binary.Agent {
	sum := sha256.Sum256(program)
	return binary.Agent{Program: bytes.NewReader(program), Size: int64(len(program)), Build: hex.EncodeToString(sum[:])}
}

// A process that was killed while it filled the volume, or still fills it,
// must not spoil it for others: another one is filled.
func TestHalfFilledVolumeIsReplaced(t *testing.T) {
	e := testEngine(t)
	f, err := e.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(program []byte) []byte{
		"empty file":   func([]byte) []byte { return []byte{} },
		"half":         func(p []byte) []byte { return p[:len(p)/2] },
		"almost whole": func(p []byte) []byte { return p[:len(p)-4] },
		"no file":      func([]byte) []byte { return nil },
		"other build":  func(p []byte) []byte { return append(slices.Clone(p), '!') },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			agentFor := uniqueAgent(t, e)
			a, _ := agentFor("")
			s := testSpec(t, e)
			img, err := e.imageFacts(t.Context(), s.Image)
			if err != nil {
				t.Fatal(err)
			}
			v := volumeName(a.Build, 3)
			if _, err := e.api.VolumeCreate(t.Context(), volume.CreateOptions{Name: v, Labels: map[string]string{Label: kindAgent}}); err != nil {
				t.Fatal(err)
			}
			if program := spoil(programOf(t, a)); program != nil {
				if err := e.copyAgent(t.Context(), fillPlan(s.Image, img, v, agentDir, e.owner), agentOf(program), f); err != nil {
					t.Fatal(err)
				}
			}
			fresh := newEngine(e.api, Options{Log: testLog(t)})
			fresh.agentFor, fresh.facts = agentFor, &f // that limits bite is known
			if got := output(t, openBox(t, fresh, s), "echo up"); got != "up\n" {
				t.Errorf("got %q", got)
			}
			if got := agentVolumes(t, fresh); !slices.Equal(got, []string{"3", "4"}) {
				t.Errorf("volumes %v", got)
			}
			// The next process takes the good one.
			next := newEngine(e.api, Options{Log: testLog(t)})
			next.agentFor, next.facts = agentFor, &f
			openBox(t, next, s)
			if got := agentVolumes(t, next); !slices.Equal(got, []string{"3", "4"}) {
				t.Errorf("afterwards volumes %v", got)
			}
		})
	}
}

// Somebody cleans up while a process works that has no box right now.
func TestRemovedVolumeIsFilledAgain(t *testing.T) {
	e := testEngine(t)
	fresh := newEngine(e.api, Options{Log: testLog(t)})
	fresh.agentFor = uniqueAgent(t, e)
	s := testSpec(t, e)
	b := openBox(t, fresh, s)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.api.VolumeRemove(t.Context(), fresh.provenAgent().name, false); err != nil {
		t.Fatal(err)
	}
	if got := output(t, openBox(t, fresh, s), "echo up"); got != "up\n" {
		t.Errorf("got %q", got)
	}
	agentVolumes(t, fresh) // each must carry our label
}

// Processes that find no volume fill it at the same time: all get boxes.
func TestFillingAtOnce(t *testing.T) {
	e := testEngine(t)
	agentFor := uniqueAgent(t, e)
	s := testSpec(t, e)
	var all sync.WaitGroup
	for range 3 {
		process := newEngine(e.api, Options{Log: testLog(t)})
		process.agentFor = agentFor
		for range 2 {
			all.Go(func() {
				c, err := process.Start(t.Context(), s)
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
}

// The volume can't be written to by what runs in a box, or boxes could change the next one's agent.
func TestAgentVolumeIsReadOnly(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, testSpec(t, e))
	got := output(t, b, `cd /glovebox; ls -A; touch x 2>/dev/null && echo made; (echo x >agent) 2>/dev/null && echo written; rm -f agent 2>/dev/null && echo removed; chmod 777 agent 2>/dev/null && echo changed; true`)
	if got != "agent\n" {
		t.Errorf("got %q", got)
	}
}
