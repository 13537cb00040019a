package tool_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// Each byte of the tools is paid for with each request.
func TestToolsAreSmall(t *testing.T) {
	type function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	type wire struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	var all []wire
	for _, tl := range tool.Tools(0) {
		if !json.Valid(tl.Parameters) {
			t.Fatalf("%s: the schema is no JSON: %s", tl.Name, tl.Parameters)
		}
		all = append(all, wire{"function", function{tl.Name, tl.Description, tl.Parameters}})
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(data))
	if len(data) > 1945 {
		t.Errorf("the tools have %d bytes on the wire; 1.9 KB are the limit", len(data))
	}
	if !strings.Contains(string(data), "default 120.") {
		t.Error("the default timeout is not told")
	}
	if got := string(tool.Tools(5 * time.Minute)[0].Parameters); !strings.Contains(got, "default 300.") {
		t.Errorf("another default timeout is not told: %s", got)
	}
}

// What models write, strong and weak ones, and what is understood.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, tool, args string
		want             tool.Use
	}{
		{"bash", "bash", `{"command":"ls\npwd"}`, tool.Use{Name: tool.Bash, Command: "ls\npwd"}},
		{"another case", "Bash", `{"command":"ls"}`, tool.Use{Name: tool.Bash, Command: "ls", Aliases: []string{"Bash"}}},
		{"timeout", "bash", `{"command":"x","timeout":30}`, tool.Use{Name: tool.Bash, Command: "x", Timeout: 30 * time.Second}},
		{"timeout as string", "bash", `{"command":"x","timeout":"30"}`, tool.Use{Name: tool.Bash, Command: "x", Timeout: 30 * time.Second}},
		{"timeout as float", "bash", `{"command":"x","timeout":30.0}`, tool.Use{Name: tool.Bash, Command: "x", Timeout: 30 * time.Second}},
		{"timeout null", "bash", `{"command":"x","timeout":null}`, tool.Use{Name: tool.Bash, Command: "x"}},
		{"alias", "bash", `{"cmd":"x"}`, tool.Use{Name: tool.Bash, Command: "x", Aliases: []string{"cmd"}}},
		{"our name wins", "bash", `{"cmd":"x","command":"y"}`, tool.Use{Name: tool.Bash, Command: "y"}},
		{"unknown is ignored", "bash", `{"command":"x","explanation":["a"]}`, tool.Use{Name: tool.Bash, Command: "x"}},
		{"read", "read", `{"path":"a.py","offset":3,"limit":"7"}`, tool.Use{Name: tool.Read, Path: "a.py", Offset: 3, Limit: 7}},
		{"write nothing", "write", `{"path":"a","content":""}`, tool.Use{Name: tool.Write, Path: "a"}},
		{"write aliases", "write", `{"file_path":"a","text":"b"}`, tool.Use{Name: tool.Write, Path: "a", Content: "b", Aliases: []string{"file_path", "text"}}},
		{"edit", "edit", `{"path":"a","old_string":"b","new_string":"","replace_all":"true"}`, tool.Use{Name: tool.Edit, Path: "a", Old: "b", All: true}},
		{"JSON in a string", "read", `"{\"path\":\"a\"}"`, tool.Use{Name: tool.Read, Path: "a", Aliases: []string{"arguments as text"}}},
		{"finish", "finish", `{"status":" Done ","note":" n "}`, tool.Use{Name: tool.Finish, Status: "done", Note: "n"}},
		{"finish blocked", "finish", `{"status":"blocked","reason":"no node"}`, tool.Use{Name: tool.Finish, Status: "blocked", Note: "no node", Aliases: []string{"reason"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tool.Parse(model.Call{Name: c.tool, Arguments: c.args})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// What can't be understood is answered so that the next call can be right.
func TestParseFaults(t *testing.T) {
	for _, c := range []struct{ name, tool, args, want string }{
		{"E1", "str_replace", `{}`, `There is no tool "str_replace". Tools: bash, read, write, edit, finish. Nothing was run.`},
		{"E1 hostile", "\x1b[31mx\n", `{}`, `There is no tool "x". Tools: bash, read, write, edit, finish. Nothing was run.`},
		{"E2", "write", `{"path":"a","content":"it\'s"}`, `The arguments of write are not valid JSON (byte 27: invalid character '\'' in string escape code). Nothing was written. Send the call again.`},
		{"E2 cut", "bash", `{"command":"ls`, `The arguments of bash are not valid JSON (byte 14: unexpected end of JSON input). Nothing was run. Send the call again.`},
		{"E2 array", "bash", `["ls"]`, `The arguments of bash are not valid JSON (they must be an object). Nothing was run. Send the call again.`},
		{"E3", "edit", `{"path":"a","diff":"b"}`, `edit needs path, old_string, new_string; got diff, path. Nothing was changed.`},
		{"E3 nothing", "bash", ``, `bash needs command; got nothing. Nothing was run.`},
		{"E3 null", "read", `{"path":null}`, `read needs path; got path. Nothing was read.`},
		{"object as content", "write", `{"path":"a","content":{"b":1}}`, `write: content must be a string. Nothing was written.`},
		{"empty command", "bash", `{"command":" \n"}`, `bash: command is empty. Nothing was run.`},
		{"zero byte", "bash", `{"command":"a\u0000b"}`, `bash: command holds a zero byte. Nothing was run.`},
		{"long command", "bash", `{"command":"` + strings.Repeat("x", 130<<10) + `"}`, `bash: command has 130.0 KB; 120.0 KB is the limit: write a file and run that. Nothing was run.`},
		{"too long", "write", `{"path":"a","content":"` + strings.Repeat("x", 1<<20) + `"}`, `write: the arguments have 1.0 MB; 1.0 MB is the limit. Nothing was written.`},
		{"negative timeout", "bash", `{"command":"x","timeout":-1}`, `bash: timeout must be a whole number from 0. Nothing was run.`},
		{"timeout in words", "bash", `{"command":"x","timeout":"2m"}`, `bash: timeout must be a whole number from 0. Nothing was run.`},
		{"huge offset", "read", `{"path":"a","offset":1e300}`, `read: offset must be a whole number from 0. Nothing was read.`},
		{"empty path", "read", `{"path":""}`, `read: path is empty. Nothing was read.`},
		{"empty old", "edit", `{"path":"a","old_string":"","new_string":"b"}`, `edit: old_string is empty; use write to make a file. Nothing was changed.`},
		{"same", "edit", `{"path":"a","old_string":"b","new_string":"b"}`, `edit: old_string and new_string are the same. Nothing was changed.`},
		{"status", "finish", `{"status":"complete","note":"x"}`, `finish: status must be done or blocked. Nothing was finished.`},
		{"blocked without why", "finish", `{"status":"blocked","note":" "}`, `finish: note must say why it is blocked. Nothing was finished.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tool.Parse(model.Call{Name: c.tool, Arguments: c.args})
			var refused *tool.CallError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a *CallError", err)
			}
			if got := usual().Refused(err).Text; got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

// The second broken call in a row gets more advice, a good one between them resets that.
func TestRefusedTwice(t *testing.T) {
	env := usual()
	_, err := tool.Parse(model.Call{Name: "write", Arguments: `{"`})
	const more = "escaped, or use bash with a heredoc."
	for i, want := range []bool{false, true, true} {
		if r := env.Refused(err); strings.HasSuffix(r.Text, more) != want || r.OK {
			t.Errorf("time %d: %+v", i+1, r)
		}
	}
	run(t, &memory{}, tool.Use{Name: tool.Bash, Command: "true"}, env)
	if r := env.Refused(err); strings.HasSuffix(r.Text, more) {
		t.Errorf("after a good call: %s", r.Text)
	}
}

// Whatever bytes a model sends as a call, there is a Use or a bounded message.
func TestParseNeverPanics(t *testing.T) {
	names := []string{"bash", "read", "write", "edit", "finish", "x\x00"}
	pieces := []string{`{`, `}`, `"path"`, `:`, `,`, `"`, `null`, `1e9`, `[]`, `"command"`, `"content"`, `\u0000`, "\xff", `"note"`, `"status"`, `"done"`, `true`}
	rapid.Check(t, func(t *rapid.T) {
		args := strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "args"), "")
		u, err := tool.Parse(model.Call{Name: rapid.SampledFrom(names).Draw(t, "name"), Arguments: args})
		if err != nil && len(err.Error()) > 1000 {
			t.Fatalf("a message of %d bytes", len(err.Error()))
		}
		if s := u.Summary(); err == nil && (s == "" || len([]rune(s)) > 130 || strings.ContainsAny(s, "\n\x1b\x00")) {
			t.Fatalf("summary %q", s)
		}
	})
}

// The line that a person sees of a call.
func TestSummary(t *testing.T) {
	for _, c := range []struct {
		u    tool.Use
		want string
	}{
		{tool.Use{Name: tool.Bash, Command: "cd x\n\x1b[31mls"}, "bash cd x; ls"},
		{tool.Use{Name: tool.Read, Path: "/workspace/a.py", Offset: 41}, "read a.py from line 41"},
		{tool.Use{Name: tool.Write, Path: "a.py", Content: "a\nb"}, "write a.py, 2 lines"},
		{tool.Use{Name: tool.Edit, Path: "~/x"}, "edit $HOME/x"},
		{tool.Use{Name: tool.Finish, Status: "done", Note: "all\ngood"}, "finish done: all good"},
	} {
		if got := c.u.Summary(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
