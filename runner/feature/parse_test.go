package feature_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// entry is a good entry with one field replaced by JSON text, or removed if value is "".
func entry(id, field, value string) string {
	fields := [][2]string{
		{"id", fmt.Sprintf("%q", id)}, {"category", `"functional"`}, {"description", `"Add tasks"`},
		{"steps", `["run add", "see it"]`}, {"verify", `"python3 -m pytest -q tests/test_add.py"`}, {"frozen", `["tests/test_add.py"]`},
	}
	var parts []string
	for _, f := range fields {
		if f[0] == field {
			f[1] = value
		}
		if f[1] != "" {
			parts = append(parts, fmt.Sprintf("%q: %s", f[0], f[1]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func texts(problems []feature.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

// A good list is taken as it is meant; what a model claims of passing is not.
func TestParse(t *testing.T) {
	want := feature.Feature{
		ID: "add", Category: "functional", Description: "Add tasks", Steps: []string{"run add", "see it"},
		Verify: "python3 -m pytest -q tests/test_add.py", Frozen: []string{"tests/test_add.py"},
	}
	claims := strings.Replace(entry("add", "", ""), "{", `{"passes": true, "blocked": true, "priority": 1, `, 1)
	for name, text := range map[string]string{
		"array":           "[" + entry("add", "", "") + "]",
		"object":          `{"project": "x", "features": [` + entry("add", "", "") + "]}",
		"claims":          "[" + claims + "]",
		"byte order mark": "\ufeff[" + entry("add", "", "") + "]\n",
		"path not clean":  "[" + entry("add", "frozen", `["./tests//test_add.py", "tests/test_add.py"]`) + "]",
		"line breaks":     "[" + entry("add", "description", `"Add\n  tasks "`) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			list, problems := feature.Parse([]byte(text), 1)
			if len(problems) > 0 {
				t.Fatal(texts(problems))
			}
			if !reflect.DeepEqual(list, feature.List{want}) {
				t.Errorf("got %+v", list)
			}
		})
	}
}

// Each fault is named so that a model can mend it: entry, field, what to do.
func TestProblems(t *testing.T) {
	one := func(field, value string) string { return "[" + entry("add", field, value) + "]" }
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	for _, c := range []struct{ name, text, want string }{
		{"empty", " \n", "feature_list.json is empty; write a JSON array of features"},
		{"no UTF-8", "[\"\xff\"]", "feature_list.json is not valid UTF-8; write it again"},
		{"no JSON", "[\n{\"id\": \"add\",}\n]", "feature_list.json is not valid JSON (line 2: invalid character '}' looking for beginning of object key string); write it again"},
		{"cut", `[{"id": "a`, "feature_list.json is not valid JSON (line 1: unexpected end of JSON input); write it again"},
		{"a string", `"features"`, "feature_list.json must be a JSON array of features"},
		{"null", `null`, "feature_list.json must be a JSON array of features"},
		{"other object", `{"list": []}`, "feature_list.json must be a JSON array of features"},
		{"too large", "[" + strings.Repeat(" ", 1<<20) + "]", "feature_list.json has 1048578 bytes; 1048576 are the limit"},
		{"too few", `[]`, "the list has 0 features; it must have exactly 1"},
		{"too many", "[" + entry("a", "", "") + "," + entry("b", "", "") + "]", "the list has 2 features; it must have exactly 1"},
		{"no object", `["add"]`, "entry 1: must be a JSON object with id, category, description, steps, verify and frozen"},
		{"no id", one("id", ""), "entry 1: id: is missing; give a short lowercase name like add-task"},
		{"id", one("id", `"Add Task"`), `entry 1: id: "Add Task" must be lowercase letters, digits and single dashes, begin with a letter, at most 40 characters`},
		{"id path", one("id", `"../x"`), `entry 1: id: "../x" must be lowercase letters, digits and single dashes, begin with a letter, at most 40 characters`},
		{"id number", one("id", `7`), "entry 1: id: must be a string, not a number"},
		{"category", one("category", `"ui"`), `entry 1 (add): category: "ui" must be functional or style`},
		{"no category", one("category", ""), "entry 1 (add): category: is missing; it is functional or style"},
		{"description", one("description", `""`), "entry 1 (add): description: is missing or empty"},
		{"long description", one("description", long(501)), "entry 1 (add): description: has 501 bytes; 500 are the limit"},
		{"control characters", one("description", `"a\u001b[2J"`), "entry 1 (add): description: holds control characters; use plain text"},
		{"no steps", one("steps", `[]`), "entry 1 (add): steps: is missing or empty; list what to do and what must come of it"},
		{"steps text", one("steps", `"run it"`), "entry 1: steps: must be a list of strings, not a string"},
		{"many steps", one("steps", "["+strings.Repeat(`"a",`, 20)+`"a"]`), "entry 1 (add): steps: has 21 steps; 20 are the limit"},
		{"empty step", one("steps", `["a", " "]`), "entry 1 (add): steps[1]: is missing or empty"},
		{"no verify", one("verify", ""), "entry 1 (add): verify: is missing or empty; give the command that proves this feature, for example python3 -m pytest -q tests/test_add.py"},
		{"long verify", one("verify", long(2049)), "entry 1 (add): verify: has 2049 bytes; 2048 are the limit: put it into a script and freeze that"},
		{"zero verify", one("verify", `"a\u0000"`), "entry 1 (add): verify: holds control characters"},
		{"absolute", one("frozen", `["/etc/passwd"]`), `entry 1 (add): frozen[0]: "/etc/passwd" must be relative to the workspace, like tests/test_add.py`},
		{"outside", one("frozen", `["tests/../../x"]`), `entry 1 (add): frozen[0]: "tests/../../x" leaves the workspace`},
		{"git", one("frozen", `[".git/config"]`), `entry 1 (add): frozen[0]: ".git/config" can't be frozen: it belongs to the host`},
		{"git below", one("frozen", `["a/.GIT/hooks/x"]`), `entry 1 (add): frozen[0]: "a/.GIT/hooks/x" can't be frozen: it belongs to the host`},
		{"state", one("frozen", `["./.glovebox/job.json"]`), `entry 1 (add): frozen[0]: "./.glovebox/job.json" can't be frozen: it belongs to the host`},
		{"list", one("frozen", `["feature_list.json"]`), `entry 1 (add): frozen[0]: "feature_list.json" can't be frozen: it is the host's already`},
		{"folder", one("frozen", `["tests/"]`), `entry 1 (add): frozen[0]: "tests/" is a folder; name files`},
		{"everything", one("frozen", `["."]`), `entry 1 (add): frozen[0]: "." names no file`},
		{"pattern", one("frozen", `["tests/*.py"]`), `entry 1 (add): frozen[0]: "tests/*.py" must be a plain file name without patterns`},
		{"many frozen", one("frozen", "["+strings.Repeat(`"a",`, 20)+`"a"]`), "entry 1 (add): frozen: has 21 files; 20 are the limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, problems := feature.Parse([]byte(c.text), 1)
			if list != nil || len(problems) != 1 || problems[0].String() != c.want {
				t.Errorf("\ngot  %q\nwant %q", texts(problems), c.want)
			}
		})
	}
}

// All faults come at once: each round with a model costs a request.
func TestAllProblemsAtOnce(t *testing.T) {
	text := "[" + entry("add", "verify", `"true"`) + "," + entry("add", "category", `"x"`) + `, {"id": "c"}]`
	_, problems := feature.Parse([]byte(text), 4)
	got := strings.Join(texts(problems), "\n")
	for _, want := range []string{
		"the list has 3 features; it must have exactly 4", `entry 1 (add): verify: "true" proves nothing`,
		"entry 2 (add): id: entry 1 has the same id", "entry 2 (add): category", "entry 3 (c): category", "entry 3 (c): steps", "entry 3 (c): verify",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not told in\n%s", want, got)
		}
	}
	_, problems = feature.Parse([]byte("["+strings.TrimSuffix(strings.Repeat("{},", 500), ",")+"]"), 500)
	if len(problems) != 31 || problems[30].String() != "and 2470 more problems" {
		t.Errorf("%d problems, the last one %q", len(problems), problems[len(problems)-1])
	}
}

// Commands in which nothing can fail are refused by their look.
func TestTrivialVerify(t *testing.T) {
	for command, refused := range map[string]bool{
		"true": true, ":": true, "exit 0": true, "exit": true, "echo ok": true, "/bin/true": true,
		"true && echo done": true, "echo a; exit 0": true, "# comment\ntrue": true, "echo a || true": true,
		"false": false, "exit 1": false, "make test": false, "test -f a": false, "echo $(make test)": false,
		"pytest; true": false, "echo a | grep b": false,
	} {
		verify, _ := json.Marshal(command)
		_, problems := feature.Parse([]byte("["+entry("add", "verify", string(verify))+"]"), 1)
		if got := len(problems) == 1 && strings.Contains(problems[0].Text, "proves nothing"); got != refused {
			t.Errorf("%q: refused %v, want %v (%q)", command, got, refused, texts(problems))
		}
	}
}

// A person who misspells a field must not lose what they wrote in it.
func TestAPersonsFieldsAreKnown(t *testing.T) {
	text := "[" + entry("add", "", "") + "]"
	for field, good := range map[string]bool{"passes": true, "Blocked": true, "freeze": false, "priority": false} {
		with := strings.Replace(text, "{", `{"`+field+`": false, `, 1)
		if _, problems := feature.ParseStrict([]byte(with)); (len(problems) == 0) != good {
			t.Errorf("%s: %q", field, texts(problems))
		} else if !good && !strings.Contains(texts(problems)[0], `entry 1: "`+field+`": is no field`) {
			t.Errorf("%s: %q", field, texts(problems))
		}
		if _, problems := feature.Parse([]byte(with), 1); len(problems) > 0 {
			t.Errorf("a model's %s: %q", field, texts(problems))
		}
	}
}

// Whatever a box puts into the file, it is a checked list or a bounded answer.
func TestParseNeverPanics(t *testing.T) {
	pieces := []string{`{`, `}`, `[`, `]`, `"id"`, `:`, `,`, `"a"`, `null`, `1e999`, `"steps"`, `"frozen"`, `"verify"`, `"../x"`, "\x00", "\xff", `true`}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "text"), "")
		list, problems := feature.Parse([]byte(text), 1)
		if (list == nil) == (len(problems) == 0) {
			t.Fatalf("list %v and problems %q", list, texts(problems))
		}
		for _, p := range problems {
			if s := p.String(); len(s) > 500 || !utf8.ValidString(s) {
				t.Fatalf("problem %q", s)
			}
		}
	})
}
