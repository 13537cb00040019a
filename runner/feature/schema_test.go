package feature_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// The published schema says the same as the checker, but for what no schema can say.
func TestSchemaAgreesWithTheChecker(t *testing.T) {
	text, err := os.ReadFile("../../docs/feature_list.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("feature_list.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("feature_list.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	many := func(n int, s string) string { return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]" }
	for _, s := range []struct {
		name, list string
		good       bool
	}{
		{"good", "[" + entry("add", "", "") + "]", true},
		{"as an object", `{"features": [` + entry("add", "", "") + `]}`, true},
		{"more fields", strings.Replace("["+entry("add", "", "")+"]", "{", `{"passes": false, "blocked": true, "priority": 1, `, 1), true},
		{"written by the host", string(feature.Public(list())), true},
		{"no frozen", "[" + entry("add", "frozen", "") + "]", true},
		{"two lines", "[" + entry("add", "verify", `"make\n\tcheck"`) + "]", true},
		{"empty", "[]", false},
		{"no list", `{"feature": []}`, false},
		{"a text", `"add"`, false},
		{"101 features", many(101, `{"id": "x"}`), false},
		{"an entry that is none", `["add"]`, false},
	} {
		check(t, schema, s.name, s.list, s.good)
	}
	for field, values := range map[string]map[string]bool{
		"id": {"": false, `""`: false, `"a"`: true, `"add-task-2"`: true, `"Add"`: false, `"2a"`: false, `"a--b"`: false, `"a-"`: false,
			`"a b"`: false, long(40): true, long(41): false, `7`: false},
		"category":    {"": false, `"functional"`: true, `"style"`: true, `"other"`: false, `null`: false},
		"description": {"": false, `" "`: false, `"a\nb"`: true, long(500): true, long(501): false, `"a\u001b[0m"`: false, `["a"]`: false},
		"steps":       {"": false, "[]": false, `[""]`: false, `"run"`: false, many(20, `"x"`): true, many(21, `"x"`): false, "[" + long(1001) + "]": false, `["a\u0007"]`: false},
		"verify":      {"": false, `" "`: false, long(2048): true, long(2049): false, `"a\u0000b"`: false, `["make"]`: false},
		"frozen": {"[]": true, `["a"]`: true, `["tests/a.py"]`: true, `["./tests/a.py"]`: true, `["tests/..a"]`: true, `["/etc/passwd"]`: false, `["../a"]`: false, `["./../a"]`: false,
			`["tests/"]`: false, `[""]`: false, `["."]`: false, `[".."]`: false, `["*.py"]`: false, `["a\\b"]`: false, `["a\u0007"]`: false, `[".git/hooks/x"]`: false,
			`["x/.GIT/a"]`: false, `[".glovebox/job.json"]`: false, `[".gitignore"]`: false, `["x/.gitattributes"]`: false, `["app_spec.txt"]`: false, `["feature_list.json"]`: false,
			`["progress.md"]`: false, `["x/progress.md"]`: true, "[" + long(200) + "]": true, "[" + long(201) + "]": false, many(20, `"a"`): true, many(21, `"a"`): false, `"a"`: false},
	} {
		for value, good := range values {
			check(t, schema, field+" "+value, "["+entry("add", field, value)+"]", good)
		}
	}
}

func check(t *testing.T, schema *jsonschema.Schema, name, list string, good bool) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); (err == nil) != good {
		t.Errorf("%.60s: the schema says %v", name, err)
	}
	if _, problems := feature.Parse([]byte(list), feature.AnyNumber); (len(problems) == 0) != good {
		t.Errorf("%.60s: the checker says %v", name, problems)
	}
}

// What no schema can say, the checker does, and the schema says that it does.
func TestCheckerSaysMore(t *testing.T) {
	for _, list := range []string{
		"[" + entry("add", "", "") + "," + entry("add", "", "") + "]",
		"[" + entry("add", "verify", `"true"`) + "]",
		"[" + entry("add", "verify", `"exit 0"`) + "]",
	} {
		if _, problems := feature.Parse([]byte(list), feature.AnyNumber); len(problems) == 0 {
			t.Errorf("accepted: %s", list)
		}
	}
}
