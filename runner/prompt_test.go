package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Every turn pays for the head of the conversation: the first request stays
// below 5 KB without the spec, with the inventory of the python image.
func TestFirstRequestIsSmall(t *testing.T) {
	j := &job{o: Options{Spec: Spec{Text: "SPEC"}, Limits: sandbox.DefaultLimits()}, state: &state{job: jobRecord{Features: 3}}}
	j.inventory = images.Inventory{
		Installed: strings.Split("python3 3.11.2,pytest 7.2.1,git 2.39.5,rg 13.0.0,jq 1.6,make 4.3,curl 7.88.1,bash 5.2.15", ","),
		Packages:  strings.Split("attrs,iniconfig,packaging,pip,pluggy,pytest,setuptools,wheel", ","),
		Missing:   strings.Split("node,npm,go,gcc,sqlite3 command,chromium", ","),
		Git:       true, Bash: true,
	}
	system, err := j.systemPrompt()
	must(t, err)
	task, err := j.planTask()
	must(t, err)
	if n := len(system); n > 1740 {
		t.Errorf("system prompt: %d bytes", n)
	}
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	var tools []map[string]any
	for _, to := range tool.Tools(j.o.Limits.Timeout) {
		tools = append(tools, map[string]any{"type": "function", "function": function{to.Name, to.Description, to.Parameters}})
	}
	body, err := json.Marshal(map[string]any{
		"model": "vendor/some-model-name:free", "stream": true, "stream_options": map[string]any{"include_usage": true}, "max_tokens": 16384,
		"messages": []map[string]any{{"role": model.System, "content": system}, {"role": model.User, "content": task}},
		"tools":    tools,
	})
	must(t, err)
	const pins = 280 // what openrouter/... adds to say which model and which price
	toolBytes, _ := json.Marshal(tools)
	t.Logf("first request %d bytes: system %d, task %d, tools %d", len(body), len(system), len(task), len(toolBytes))
	if len(body) > 5<<10-pins {
		t.Errorf("the first request has %d bytes", len(body))
	}
}

func TestSystemPromptIsConstant(t *testing.T) {
	t.Parallel()
	var seen []string
	w := newWorld(t, func(r model.Request) model.Reply {
		if turnOf(r) == 0 {
			seen = append(seen, r.Messages[0].Content)
		}
		return greeter(r)
	})
	w.done()
	for _, s := range seen {
		if s != seen[0] {
			t.Error("the system prompt changed within a job")
		}
	}
}

// A long spec is not sent with every request; where the rest lies is said.
func TestLongSpecIsCut(t *testing.T) {
	spec := strings.Repeat("Rule after rule after rule.\n", 4000)
	if got := headOf(spec, specInCoding); len(got) > specInCoding+200 || !strings.Contains(got, "read the rest in app_spec.txt") {
		t.Errorf("%d bytes, end %q", len(got), tailOf(got, 80))
	}
	if got := headOf("short\n", specInCoding); got != "short" {
		t.Errorf("got %q", got)
	}
}

// A coding session knows where it is: the feature and its steps, what its last
// try printed, what else passes, the notes, the commits and the tree.
func TestCodingPromptKnows(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isFor(r, "bye") && strings.Contains(task(r), "Last attempt"):
			told = task(r)
		case isFor(r, "bye") && turnOf(r) == 0:
			return says(write("bye.sh", "echo good night; echo marvellous >&2\n"))
		case isFor(r, "bye"): // ends without a finish: no turn is left to lose
			return model.Reply{Content: "That was it.", Finish: model.FinishStop}
		}
		return greeter(r)
	})
	w.done()
	for _, want := range []string{
		"Session: coding, feature bye\n", "Build this feature, and only this one: Say bye", "- sh bye.sh prints bye", "verify: sh tests/bye.sh",
		"Last attempt ended: no calls", "verify now prints:\nmarvellous", "- hello [passes] Say hello", "hello says hello",
		"bye: leftovers of session 3, not verified", "hello: Say hello", "tests/bye.sh (25 B)",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("it lacks %q:\n%s", want, told)
		}
	}
}

// However long the list, the notes and the outputs are, the prompt is bounded.
func TestListInAPromptIsBounded(t *testing.T) {
	j := &job{}
	for i := range 100 {
		j.list.Features = append(j.list.Features, feature.Feature{ID: fmt.Sprintf("feature-with-a-name-%d", i), Description: strings.Repeat("long ", 100)})
	}
	size := 0
	for _, l := range j.listStates("feature-with-a-name-7") {
		size += len(l.ID) + len(l.State) + len(l.Description)
	}
	if size > 2*listShown {
		t.Errorf("100 features take %d bytes", size)
	}
	j.list.Features = j.list.Features[:3]
	if l := j.listStates("")[0]; len(l.Description) < 490 {
		t.Errorf("of 3 features %d bytes are shown", len(l.Description))
	}
}

// progress.md is the host's: bounded notes of the sessions, whatever a session
// writes there.
func TestNotesAreTheHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isFor(r, "hello"):
			return says(write("hello.sh", "echo hello\n"), bash("head -c 100000 /dev/zero | tr '\\0' x > progress.md"), finish(strings.Repeat("very long note ", 100)))
		case isFor(r, "bye"):
			return says(bash("echo 'echo bye' > bye.sh; rm progress.md; ln -s /etc/passwd progress.md"), finish("bye says bye"))
		}
		return greeter(r)
	})
	w.done()
	notes := w.content("progress.md")
	if len(notes) > 2000 || !strings.Contains(notes, "very long note") || !strings.Contains(notes, "bye says bye") || strings.Contains(notes, "xxxx") {
		t.Errorf("%d bytes of notes:\n%.3000s", len(notes), notes)
	}
	if got := w.git("log", "--format=", "--name-only", "--diff-filter=T"); got != "" {
		t.Errorf("a link was committed in place of %s", got)
	}
	var h history
	for i := range 100 {
		h.add(ledger.Event{Kind: ledger.SessionEnd, Session: i, Ended: &ledger.SessionInfo{Kind: coding, Ending: endFinish, Note: strings.Repeat("n", noteBytes)}})
	}
	if n := len(h.notes()); n > notesFile || n < notesFile/2 {
		t.Errorf("the notes of 100 sessions have %d bytes", n)
	}
}

// Prompts of the user's reach the model in place of ours.
func TestOwnPrompts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := "Mine for {{.Feature.ID}}: {{.Spec}}{{.Red}}\nSession: coding, feature {{.Feature.ID}}\nGo.\n"
	must(t, os.WriteFile(filepath.Join(dir, "coding.md"), []byte(own), 0o644))
	set, err := prompts.Load(dir)
	must(t, err)
	seen := 0
	w := newWorld(t, func(r model.Request) model.Reply {
		if strings.HasPrefix(task(r), "Mine for hello: A greeter") {
			seen++
		}
		return greeter(r)
	})
	w.o.Prompts = set
	w.done()
	if seen == 0 {
		t.Error("the model was told something else")
	}
}
