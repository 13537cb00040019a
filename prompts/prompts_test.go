package prompts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/prompts"
)

// samples has data for every message, as its caller gives it.
func samples() map[string]map[string]any {
	return map[string]map[string]any{
		"E1":             {"Tool": "str_replace", "Tools": "bash, read, write, edit, finish"},
		"E2":             {"Tool": "write", "Fault": "byte 812: invalid", "Verb": "written", "Again": true},
		"E3":             {"Tool": "edit", "Needs": "path", "Got": "diff", "Verb": "changed"},
		"E3-value":       {"Tool": "edit", "Fault": "path is empty", "Verb": "changed"},
		"E4":             {"Fault": "No command found", "Form": "<bash>"},
		"E5":             {"Tokens": 1000, "Lines": 58},
		"E6":             nil,
		"E7":             {"Path": "/tmp/x"},
		"E7-write":       {"Path": "/tmp/x"},
		"E8":             {"Failed": "edit todo.py"},
		"E9":             {"Verify": "make test"},
		"E10":            {"How": "exited 1", "Verify": "make test", "Try": 2, "Tries": 6, "Output": "red"},
		"E10-regression": {"How": "exited 1", "Verify": "make test", "Try": 2, "Tries": 6, "Output": "red", "Feature": "list"},
		"E11":            {"Path": "f", "Lines": 3, "Where": "line 1", "Closest": "a", "Misses": 2, "Rewrite": true},
		"E11-many":       {"Path": "f", "Count": 3, "Where": "lines 1, 2, 3"},
		"E12":            {"Installed": "python3"},
		"E13":            {"Seconds": "120"},
		"E16":            {"Ended": "It was ended", "Most": "4 GB", "Partly": true, "Bytes": "5 GB", "Largest": "/workspace/big 4.8 GB"},
		"E16-files":      {"Ended": "It was ended", "Most": 10000, "Partly": true, "Files": 12000, "Largest": "/workspace/many/"},
		"E16-unseen":     {"Ended": "It was ended", "Most": "4 GB", "Partly": true, "Bytes": "1 GB", "Grown": "4.1 GB", "GrownFiles": 3},
		"E16-proof":      {"Limit": "disk limit 4 GB hit", "Bytes": "4.2 GB", "Files": 12, "Largest": "/workspace/big 4.1 GB"},
		"E16-floor":      {"Ended": "It was ended", "Free": "1 GB", "FreeFiles": 900, "Bytes": "3 GB", "Files": 12, "Largest": "/workspace/big 4.8 GB"},
		"E17":            {"Later": 2},
		"E17-fence":      nil,
		"E17-imagined":   nil,
		"E18":            {"Size": "6.1 KB"},
		"E19":            {"Percent": 75},
		"E20":            {"How": "exited 1", "Try": 1, "Tries": 6, "Output": ". It printed:\nred"},
		"E14":            {"Period": 2, "Times": 4},
		"E15":            {"Path": "tests/test_add.py"},
	}
}

// Every message can be made from what its caller gives, and nothing is left over.
func TestMessages(t *testing.T) {
	files, err := filepath.Glob("messages/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		data, ok := samples()[name]
		if !ok {
			t.Errorf("%s has no sample here", name)
			continue
		}
		got := prompts.Message(name, data)
		if got == "" || strings.HasPrefix(got, name) || strings.HasSuffix(got, "\n") || strings.Contains(got, "{{") || strings.Contains(got, "<no value>") {
			t.Errorf("%s: %q", name, got)
		}
		for key, value := range data {
			text, ok := value.(string)
			if ok && !strings.Contains(got, text) {
				t.Errorf("%s: %s is not in %q", name, key, got)
			}
		}
	}
	if len(files) != len(samples()) {
		t.Errorf("%d messages and %d samples", len(files), len(samples()))
	}
}

// The words that were agreed, where they matter most.
func TestMessageTexts(t *testing.T) {
	for _, c := range []struct {
		name string
		data map[string]any
		want string
	}{
		{"E5", samples()["E5"], "Your reply was cut at 1000 tokens; none of it was run. Write less per reply: a file in parts of at most 58 lines, the first with write, the others with bash: cat >> file <<'EOF'."},
		{"E10", samples()["E10"], "Not done. verify exited 1 in a new box (try 2 of 6): make test\nred"},
		{"E12", map[string]any{"Installed": ""}, "Boxes have no network; this can't work in any form."},
		{"E17", map[string]any{"Later": 1}, "(1 command was run; a later one was ignored: wait for each result)"},
		{"E17", samples()["E17"], "(1 command was run; 2 later ones were ignored: wait for each result)"},
		{"E14", map[string]any{"Period": 1, "Times": 4}, "The same call gave the same result 4 times. Something else is needed: read the test, look at the program's output, or finish with status blocked."},
		{"E14", samples()["E14"], "The same 2 calls gave the same results 4 times in turn. Something else is needed: read the test, look at the program's output, or finish with status blocked."},
	} {
		if got := prompts.Message(c.name, c.data); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
}

// A fault of ours leaves the model with an answer, not with a panic or nothing.
func TestBrokenMessage(t *testing.T) {
	if got := prompts.Message("E99", map[string]any{"Path": "f"}); got != "E99: map[Path:f]" {
		t.Errorf("an unknown message: %q", got)
	}
	if got := prompts.Message("E7", map[string]any{"Other": 1}); got != "E7: map[Other:1]" {
		t.Errorf("a missing variable: %q", got)
	}
}

// A prompt with a hole in it is an error, never a request.
func TestRenderFailsOnMissingVariable(t *testing.T) {
	for _, data := range []any{nil, map[string]any{}, struct{}{}} {
		if text, err := prompts.Render("system", data); err == nil {
			t.Errorf("%v made %q", data, text)
		}
	}
	if _, err := prompts.Render("no-such-prompt", nil); err == nil {
		t.Error("an unknown prompt was rendered")
	}
	if _, err := prompts.Render("../prompts", nil); err == nil {
		t.Error("a file outside was rendered")
	}
}

// The example is short enough to be read and says what a test can check.
func TestAppSpec(t *testing.T) {
	data, err := os.ReadFile("app_spec.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`python3 todo.py add "Buy milk"`, "1 [ ] Buy milk", "[x]", "python3 todo.py done 1", "todo.json", "TODO_FILE", "exits with code 1"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the spec lacks %q", want)
		}
	}
}
