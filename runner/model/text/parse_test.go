package text_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner/model/text"
)

// readme is a file with what breaks protocols of fences.
const readme = "# Todo\n\n```bash\npython3 todo.py\n```\n\nend\n"

// What models write and what is taken from it, whole and without a guess.
func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		reply string
		tool  string
		args  map[string]string
		marks []string
	}{
		"bash":            {"I look.\n\n<bash>\nls\npwd\n</bash>", "bash", args("command", "ls\npwd"), nil},
		"a timeout":       {"<bash timeout=\"300\">\nmake\n</bash>\n", "bash", args("command", "make", "timeout", "300"), nil},
		"quotes of both":  {"<read path='a b.py' offset=3 limit=\"7\"/>", "read", args("path", "a b.py", "offset", "3", "limit", "7"), nil},
		"read, closed":    {"<read path=\"a.py\"></read>", "read", args("path", "a.py"), nil},
		"read, open":      {"<read path=\"a.py\">", "read", args("path", "a.py"), nil},
		"read, inside":    {"<read>a.py</read>", "read", args("path", "a.py"), nil},
		"write":           {"<write path=\"todo.py\">\nimport sys\n\nprint(1)\n</write>", "write", args("path", "todo.py", "content", "import sys\n\nprint(1)\n"), nil},
		"write nothing":   {"<write path=\"a\">\n</write>", "write", args("path", "a", "content", ""), nil},
		"write a line":    {"<write path=\"a\">\n\n</write>", "write", args("path", "a", "content", "\n"), nil},
		"write raw":       {"<write path=\"a\">\n<b>&amp; \\n \"</b>\n</write>", "write", args("path", "a", "content", "<b>&amp; \\n \"</b>\n"), nil},
		"write a README":  {"<write path=\"README.md\">\n" + readme + "</write>", "write", args("path", "README.md", "content", readme), nil},
		"write thoughts":  {"<write path=\"a\">\n<think>\nx\n</think>\n</write>", "write", args("path", "a", "content", "<think>\nx\n</think>\n"), nil},
		"write a result":  {"<write path=\"a.xml\">\n<result>\n</write>", "write", args("path", "a.xml", "content", "<result>\n"), nil},
		"write bash":      {"<write path=\"a\">\n<bash>\nls\n</bash>\n</write>", "write", args("path", "a", "content", "<bash>\nls\n</bash>\n"), nil},
		"edit":            {"<edit path=\"a\">\n<old>\n  x\n  y\n</old>\n<new>\n  z\n</new>\n</edit>", "edit", args("path", "a", "old_string", "  x\n  y", "new_string", "  z"), nil},
		"edit away":       {"<edit path=\"a\">\n<old>\nx\n</old>\n<new>\n</new>\n</edit>", "edit", args("path", "a", "old_string", "x", "new_string", ""), nil},
		"edit on a line":  {"<edit path=\"a\">\n<old>x</old>\n<new>y</new>\n</edit>", "edit", args("path", "a", "old_string", "x", "new_string", "y"), nil},
		"edit all":        {"<edit path=\"a\" replace_all=\"true\">\n<old>x</old>\n<new>y</new>\n</edit>", "edit", args("path", "a", "replace_all", "true", "old_string", "x", "new_string", "y"), nil},
		"finish":          {"<finish status=\"done\">all is well</finish>", "finish", args("status", "done", "note", "all is well"), nil},
		"finish, lines":   {"<finish status=\"blocked\">\nno node\nhere\n</finish>", "finish", args("status", "blocked", "note", "no node\nhere"), nil},
		"finish, mixed":   {"<finish status=\"done\">a\nb</finish>\n", "finish", args("status", "done", "note", "a\nb"), nil},
		"CRLF":            {"<bash>\r\nls\r\n</bash>\r\n", "bash", args("command", "ls"), nil},
		"thought":         {"<think>\nI could\n<bash>\nrm x\n</bash>\n</think>\n<bash>\nls\n</bash>", "bash", args("command", "ls"), nil},
		"thought, headed": {"I could\n<bash>\nrm x\n</bash>\n</think>\n\n<bash>\nls\n</bash>", "bash", args("command", "ls"), nil},
		"thought, inline": {"<think>hm</think><bash>\nls\n</bash>", "bash", args("command", "ls"), nil},
		"thoughts":        {"<think>a</think>\n<think>b</think>\nSo:\n<bash>\nls\n</bash>", "bash", args("command", "ls"), nil},
		"one line":        {"<bash>ls -la</bash>", "bash", args("command", "ls -la"), []string{text.MarkClosing}},
		"closed late":     {"<bash>\nls\npwd</bash>\n", "bash", args("command", "ls\npwd"), []string{text.MarkClosing}},
		"in a fence":      {"```xml\n<bash>\nls\n</bash>\n```", "bash", args("command", "ls"), nil},
		"later ones":      {"<bash>\nls\n</bash>\n<read path=\"a\"/>\n<bash>\npwd\n</bash>", "bash", args("command", "ls"), []string{text.MarkLater}},
		"imagined":        {"<bash>\nls\n</bash>\n<result exit=\"0\">\na.py\n</result>\n<bash>\nrm a.py\n</bash>", "bash", args("command", "ls"), []string{text.MarkImagined}},
		"a shell fence":   {"I look:\n\n```bash\nls\n```\nThat shows it.", "bash", args("command", "ls"), []string{text.MarkFence}},
		"output after":    {"```sh\nls\n```\nOutput:\n```\na.py\n```", "bash", args("command", "ls"), []string{text.MarkFence}},
		"other blocks":    {"```python\nx\n```\nso\n```shell\nls\n```", "bash", args("command", "ls"), []string{text.MarkFence}},
		"README in fence": {"```bash\ncat > README.md <<'EOF'\n" + readme + "EOF\n```", "bash", args("command", "cat > README.md <<'EOF'\n"+readme+"EOF"), []string{text.MarkFence}},
		"bare in fence":   {"```bash\ncat > R <<EOF\n```\nx\n```\nEOF\n```\n", "bash", args("command", "cat > R <<EOF\n```\nx\n```\nEOF"), []string{text.MarkFence}},
		"a longer fence":  {"````bash\necho '```'\n```\n````", "bash", args("command", "echo '```'\n```"), []string{text.MarkFence}},
		"tool_call":       {"<tool_call>\n{\"name\": \"bash\", \"arguments\": {\"command\": \"ls\"}}\n</tool_call>", "bash", args("command", "ls"), []string{text.MarkForm}},
		"function":        {"<function=write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nb\n\n</parameter>\n</function>", "write", args("path", "a", "content", "b\n"), []string{text.MarkForm}},
		"both":            {"<tool_call>\n<function=bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>", "bash", args("command", "ls"), []string{text.MarkForm}},
	} {
		t.Run(name, func(t *testing.T) {
			got := text.Parse(c.reply)
			var had map[string]string
			if got.Call.Name != "" {
				must(t, json.Unmarshal([]byte(got.Call.Arguments), &had))
			}
			if got.Call.Name != c.tool || !same(had, c.args) || !slices.Equal(got.Marks, c.marks) || got.Fault != "" {
				t.Errorf("got  %s %q %v, fault %q\nwant %s %q %v", got.Call.Name, had, got.Marks, got.Fault, c.tool, c.args, c.marks)
			}
		})
	}
}

// What is only quoted is not run: in a block of code, in prose, in a file that
// is written, whichever form it has.
func TestParseQuotations(t *testing.T) {
	const (
		mine     = "<bash>\nls\n</bash>"
		bad      = "<bash>\nrm x\n</bash>"
		badForm  = "<tool_call>{\"name\":\"bash\",\"arguments\":{\"command\":\"rm x\"}}</tool_call>"
		badQwen  = "<function=bash>\n<parameter=command>\nrm x\n</parameter>\n</function>"
		mineForm = "<tool_call>{\"name\":\"bash\",\"arguments\":{\"command\":\"ls\"}}</tool_call>"
	)
	ls, none := args("command", "ls"), map[string]string(nil)
	for name, c := range map[string]struct {
		reply, tool string
		args        map[string]string
	}{
		"an example before":           {"So it would go:\n```xml\n" + bad + "\n```\nI look.\n" + mine, "bash", ls},
		"an example after":            {mine + "\n\nand not\n```\n" + bad + "\n```", "bash", ls},
		"a form before":               {"```\n" + badForm + "\n```\n" + mine, "bash", ls},
		"before a form":               {"```xml\n" + bad + "\n```\n" + mineForm, "bash", ls},
		"a function before a form":    {"~~~~\n" + badQwen + "\n~~~~\n" + mineForm, "bash", ls},
		"a session":                   {"```\n" + bad + "\n<result exit=\"0\">\nx\n</result>\n```\n" + mine, "bash", ls},
		"with words in the fence":     {"```\nFirst:\n" + bad + "\n```", "", none},
		"with words behind":           {"```\n" + bad + "\nThat removes it.\n```", "", none},
		"a form with words":           {"```\nFirst:\n" + badForm + "\n```", "", none},
		"two in fences":               {"```xml\n" + bad + "\n```\nor\n```xml\n" + badForm + "\n```", "", none},
		"two in a fence":              {"```xml\n" + bad + "\n" + bad + "\n```", "", none},
		"closed behind the fence":     {"```\n<bash>\n```\nbegins it, and its end is </bash>", "", none},
		"not closed in the fence":     {"```xml\n<bash>\nrm x\n```", "", none},
		"form in prose":               {"I won't call " + badForm + ".", "", none},
		"function in prose":           {"Qwen writes " + badQwen, "", none},
		"form in code":                {"Some write `" + badForm + "`.", "", none},
		"form in an indented block":   {"Like this:\n\n    " + badForm + "\n", "", none},
		"in a script":                 {"```bash\ncat > x <<'EOF'\n" + bad + "\nEOF\n```", "bash", args("command", "cat > x <<'EOF'\n"+bad+"\nEOF")},
		"form in a file":              {"<write path=\"a\">\n" + badForm + "\n</write>", "write", args("path", "a", "content", badForm+"\n")},
		"tag in a function's file":    {"<function=write>\n<parameter=path>a</parameter>\n<parameter=content>\n" + bad + "\n</parameter>\n</function>", "write", args("path", "a", "content", bad)},
		"tag in an open function":     {"<function=write>\n<parameter=path>a</parameter>\n<parameter=content>\n" + bad, "", none},
		"thought in a function's":     {"<function=write>\n<parameter=path>a</parameter>\n<parameter=content>\n<think>\nx\n</parameter>\n</function>", "write", args("path", "a", "content", "<think>\nx")},
		"end of thought in a file":    {"<write path=\"a\">\nx\n</think>\n" + bad + "\n</write>", "write", args("path", "a", "content", "x\n</think>\n"+bad+"\n")},
		"end of thought in a script":  {"```sh\ncat > x <<'EOF'\n</think>\nEOF\n```", "bash", args("command", "cat > x <<'EOF'\n</think>\nEOF")},
		"end of thought in a message": {"<bash>\ngit commit -F - <<'EOF'\n</think>\nEOF\n</bash>", "bash", args("command", "git commit -F - <<'EOF'\n</think>\nEOF")},
	} {
		t.Run(name, func(t *testing.T) {
			got := text.Parse(c.reply)
			var had map[string]string
			if got.Call.Name != "" {
				must(t, json.Unmarshal([]byte(got.Call.Arguments), &had))
			}
			if got.Call.Name != c.tool || !same(had, c.args) || (got.Fault == "") != (c.tool != "") || got.Later != 0 {
				t.Errorf("got  %s %q, fault %q, %d later\nwant %s %q", got.Call.Name, had, got.Fault, got.Later, c.tool, c.args)
			}
		})
	}
}

// Weak models put the only call that they make into a fence and mean it: it is
// all that stands there, whatever fences are in the file that it writes.
func TestParseCallInFence(t *testing.T) {
	const form = "<tool_call>\n{\"name\": \"bash\", \"arguments\": {\"command\": \"ls\"}}\n</tool_call>"
	bare := "# A\n```\nls\n```\n"
	for reply, want := range map[string]string{
		"I look:\n\n```xml\n\n<bash>\nls\n</bash>\n\n```\n\nThat shows it.": `{"command":"ls"}`,
		"```tool_call\n" + form + "\n```":                                   `{"command": "ls"}`,
		"```json\n" + form + "\n```\nI wait.":                               `{"command": "ls"}`,
		"```xml\n<bash>\nls\n</bash>":                                       `{"command":"ls"}`, // its end was forgotten
		"```xml\n<write path=\"a\">\n" + bare + "</write>\n```":             `{"content":"# A\n` + "```" + `\nls\n` + "```" + `\n","path":"a"}`,
		"```xml\n<write path=\"a\">\n" + readme + "</write>\n```":           `{"content":"# Todo\n\n` + "```" + `bash\npython3 todo.py\n` + "```" + `\n\nend\n","path":"a"}`,
	} {
		if got := text.Parse(reply); got.Call.Arguments != want || got.Fault != "" {
			t.Errorf("%q: %+v", reply, got)
		}
	}
}

// What is no command, or might be two things, is not run, and the model is
// told why and shown the form that it needs.
func TestParseFaults(t *testing.T) {
	for name, c := range map[string]struct{ reply, fault, form string }{
		"nothing":          {"", "No command found", "<bash>"},
		"prose":            {"All is done. I used <bash> for it.", "No command found", "<bash>"},
		"only thought":     {"<think>\n<bash>\nls\n</bash>\n", "No command found", "<bash>"},
		"bash is open":     {"<bash>\nls\n", "<bash> is not closed", "<bash>"},
		"write is open":    {"<write path=\"a\">\nx\n", "<write> is not closed", "<write path="},
		"opened again":     {"<bash>\nls\n<result>\na\n</result>\n<bash>\npwd\n</bash>", "<bash> is not closed", "<bash>"},
		"no old":           {"<edit path=\"a\">\n<new>\nx\n</new>\n</edit>", "<edit> has no <old>…</old>", "<edit path="},
		"no new":           {"<edit path=\"a\">\n<old>\nx\n</old>\n</edit>", "<edit> has no <new>…</new> after its <old>…</old>", "<edit path="},
		"a broken tag":     {"<write path=\"a>\nx\n</write>", "The tag <write …> can't be read", "<write path="},
		"imagined first":   {"<result exit=\"0\">\nok\n</result>\n<finish status=\"done\">x</finish>", "No command found before the <result> that you wrote yourself", "<bash>"},
		"two fences":       {"```bash\nls\n```\n```bash\npwd\n```", "No command found, but 2 fences: one command a reply", "<bash>"},
		"python":           {"```python\nprint(1)\n```", "No command found", "<bash>"},
		"an open fence":    {"```bash\nls\n", "The fence is not closed", "<bash>"},
		"a fence too few":  {"```bash\ncat > R <<EOF\n```\nx\n", "The fence ends inside a file that the script writes", "<bash>"},
		"broken tool_call": {"<tool_call>{\"name\": \"bash\", \"arguments\": {</tool_call>", "No command found", "<bash>"},
		"open function":    {"<function=bash><parameter=command>ls", "No command found", "<bash>"},
	} {
		t.Run(name, func(t *testing.T) {
			got := text.Parse(c.reply)
			if got.Call.Name != "" || got.Fault != c.fault || !strings.HasPrefix(got.Form, c.form) {
				t.Errorf("got %+v, want %q", got, c.fault)
			}
		})
	}
}

// How many commands were ignored is counted, and what goes back into the
// conversation is what was written, without what was imagined and thought.
func TestParseTheRest(t *testing.T) {
	got := text.Parse("<think>hm</think>\nI look.\n<bash>ls</bash><bash>pwd</bash>\n<read path=\"a\"/>\nand\n<write path=\"b\">\n<bash>\n</write>\n<result>\nx\n</result>")
	if got.Later != 3 || !strings.HasPrefix(got.Text, "I look.") || strings.Contains(got.Text, "<result") || !strings.HasSuffix(got.Text, "</write>") {
		t.Errorf("%d later, text %q", got.Later, got.Text)
	}
	if got = text.Parse(strings.Repeat("<bash>\nls\n</bash>\n", 1000)); got.Later != 20 {
		t.Errorf("%d later", got.Later)
	}
}

// A call that is put into words is read again as the same call.
func TestRender(t *testing.T) {
	for _, c := range []struct{ name, args string }{
		{"bash", `{"command":"ls\npwd","timeout":30}`},
		{"bash", `{"command":"echo '</bash>'"}`},
		{"read", `{"path":"a.py","offset":3,"limit":7}`},
		{"write", `{"path":"a","content":"x\n\n"}`},
		{"write", `{"path":"a","content":""}`},
		{"write", `{"path":"a","content":"\n"}`},
		{"edit", `{"path":"a","old_string":" x\ny","new_string":"","replace_all":true}`},
		{"finish", `{"status":"done","note":"well"}`},
	} {
		in, out := map[string]any{}, map[string]any{}
		must(t, json.Unmarshal([]byte(c.args), &in))
		got := text.Parse("So:\n" + text.Render(call(c.name, c.args)))
		if got.Call.Name != c.name {
			t.Errorf("%s %s: %+v", c.name, c.args, got)
			continue
		}
		must(t, json.Unmarshal([]byte(got.Call.Arguments), &out))
		for k, v := range in {
			if asText(v) != asText(out[k]) {
				t.Errorf("%s: %s is %q, was %q", c.name, k, out[k], v)
			}
		}
	}
	if got := text.Parse(text.Render(call("bsh", `{"a":`))); got.Call.Name != "bsh" || got.Call.Arguments != `{"a":` {
		t.Errorf("a call of a tool that is none: %+v", got)
	}
}

// The time is in proportion to the text, however often a tag is opened.
func TestParseIsLinear(t *testing.T) {
	for _, piece := range []string{"<bash>\n", "<think>", "<think></think>\n", "<write path=\"a\">x\n", "```bash\n", "<tool_call>", "<function=a>", "<result>\n", "</think>\n", "<edit a", "a=b ",
		"<bash></bash>", "<bash>\n</bash>\n", "<tool_call>\n", "<tool_call>{\"name\":\"a\"}</tool_call>", "<function=a></function>\n", "<function=a>\n<parameter=b>\n",
		"```\n<function=a>\n<parameter=b>\n```\n", "```xml\n<write path=\"a\">\n```bash\n</write>\n```\n", "```\n<bash>\n```\n", "~~~\n```a\n", "```\n", "```a\n</think>\n"} {
		start := time.Now()
		text.Parse(strings.Repeat(piece, 4<<20/len(piece)))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q: %s", piece, took)
		}
	}
}

// Whatever a model writes, there is a call that can be sent back or a fault,
// and nothing that the model made up or thought is part of the conversation.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "prose", "<bash>\nls\n</bash>", "<bash>ls</bash><bash>pwd</bash>", "<think>x</think><read path='a'/>", "<think>",
		"<write path=\"a\">\n" + readme + "</write>\n<result>\n", "<edit path=a>\n<old>\nx\n</old>\n<new>\n</new>\n</edit>",
		"<finish status=\"done\">a\nb</finish>", "```bash\ncat <<EOF\n```\nEOF\n```", "~~~~sh\nls\n~~~~~", "x\n</think>\n<bash>\n",
		"<tool_call>{\"name\":\"bash\",\"arguments\":\"{}\"}</tool_call>", "<function=bash><parameter=command>ls</parameter></function>",
		"<result>\n<bash>\nls\n</bash>", "<bash timeout=\"1\" x>\n\r\n</bash>", "<read/>", "<write/>", "<bash", "<edit path=\"a\"><old><new></edit>",
		"```xml\n<bash>\nls\n</bash>\n```\n<result>", "```\nx\n<bash>\nls\n</bash>\n```\n<read path=a>", "    ```\n<bash>\nls\n</bash>\n```", "\xff<bash>\x00</bash>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		c := text.Parse(reply)
		if (c.Call.Name == "") != (c.Fault != "") {
			t.Fatalf("call %+v, fault %q", c.Call, c.Fault)
		}
		if c.Later < 0 || c.Later > 20 || len(c.Fault) > 200 || c.Form == "" || len(c.Text) > len(reply) {
			t.Fatalf("unbounded: %d later, fault %q, %d bytes of text of %d", c.Later, c.Fault, len(c.Text), len(reply))
		}
		if !slices.Contains(c.Marks, text.MarkForm) && c.Call.Name != "" && !json.Valid([]byte(c.Call.Arguments)) {
			t.Fatalf("arguments %q", c.Call.Arguments)
		}
		// What goes back says the same when it is read again.
		if again := text.Parse(c.Text); c.Call.Name != "" && again.Call != c.Call {
			t.Fatalf("read again: %+v\nat first:   %+v", again.Call, c.Call)
		}
	})
}
