package runner

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/record"
)

// A recorded job can be built again from its recording alone.
func TestReplayBuildsTheSame(t *testing.T) {
	t.Parallel()
	first := newWorld(t, nil)
	server := httptest.NewServer(&wire{actor: greeter})
	file := filepath.Join(t.TempDir(), "job.jsonl")
	f, err := os.Create(file)
	must(t, err)
	defer f.Close()
	recorder := record.New(f, record.Options{Redact: func(s string) string { return s }})
	client := openai.New(openai.Config{BaseURL: server.URL + "/v1", Model: "actor", Wrap: recorder.Wrap})
	first.o.Model = client
	recorder.Model(first.o.ModelInfo)
	first.done()
	client.Close()
	server.Close()

	replay, err := record.Load(file)
	must(t, err)
	base, stop, err := replay.Serve()
	must(t, err)
	defer stop()
	again := openai.New(openai.Config{BaseURL: base, Model: replay.Info.ID})
	defer again.Close()
	second := newWorld(t, nil)
	second.o.Model, second.o.ModelInfo = again, replay.Info
	second.done()
	if a, b := first.git("rev-parse", "HEAD^{tree}"), second.git("rev-parse", "HEAD^{tree}"); a != b {
		t.Errorf("built %s, replayed %s", a, b)
	}
}
