package runner

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/images"
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
