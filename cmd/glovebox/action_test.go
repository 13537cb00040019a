package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The action runs what its inputs say, word for word, and ends with the
// program's own code.
func TestAction(t *testing.T) {
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct{ Default string }
		Runs   struct {
			Steps []struct {
				ID, Run string
				Env     map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"spec": "my spec;$(touch pwned).txt", "project-dir": "a b", "model": "scripted/todo", "budget": "0", "image": "base", "args": "--max-time 90m --quiet"}
	for name := range action.Inputs {
		if _, ok := given[name]; !ok {
			t.Errorf("input %s is not tried", name)
		}
	}
	for _, step := range action.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("a script is made of what comes from outside: %s", step.Run)
		}
		if step.ID != "run" {
			continue
		}
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		fake := "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$GITHUB_ACTION_PATH/args\"\nexit 3\n"
		if err := os.WriteFile(filepath.Join(dir, "bin/glovebox"), []byte(fake), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "-e", "-c", step.Run)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GITHUB_ACTION_PATH=" + dir, "GITHUB_OUTPUT=" + dir + "/out"}
		for name, value := range step.Env {
			input := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`).FindStringSubmatch(value)
			if input == nil {
				t.Fatalf("%s is %s", name, value)
			}
			cmd.Env = append(cmd.Env, name+"="+given[input[1]])
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("exit: %v\n%s", err, out)
		}
		want := "run\n--project-dir\na b\n--model\nscripted/todo\n--budget\n0\n--image\nbase\n--yes\n--max-time\n90m\n--quiet\n--\nmy spec;$(touch pwned).txt\n"
		if got, _ := os.ReadFile(filepath.Join(dir, "args")); string(got) != want {
			t.Errorf("got %q", got)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "out")); string(got) != "exit-code=3\njunit=a b/.glovebox/report/junit.xml\n" {
			t.Errorf("outputs %q", got)
		}
		return
	}
	t.Error("no step runs glovebox")
}

// Examples and the action use flags that there are.
func TestCIFilesUseRealFlags(t *testing.T) {
	files, err := filepath.Glob("../../examples/ci/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	known := map[string]bool{"depth": true} // git's
	for _, f := range runFlags() {
		for _, name := range f.Names() {
			known[name] = true
		}
	}
	for _, file := range append(files, "../../action.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := yaml.Unmarshal(text, &any); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, flag := range regexp.MustCompile(`(?:^|[ "])--([a-z-]+)`).FindAllStringSubmatch(string(text), -1) {
			if !known[flag[1]] {
				t.Errorf("%s: there is no --%s", file, flag[1])
			}
		}
	}
}
