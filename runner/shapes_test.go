package runner

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// shape is something that weak models send, as calls and in words. One of the
// two may be missing where it can't be sent so. told is what the model must be
// told of it, by a result or a message.
type shape struct {
	name       string
	native     *model.Reply
	nativeTold string
	words      string
	wordsTold  string
	cut        bool // by the limit of tokens
}

// shapes are what weak models send (MODEL.md 1.15). None of them makes the feature "hello" work.
func shapes() []shape {
	n := func(calls ...model.Call) *model.Reply { return &model.Reply{Content: "So:", Calls: calls} }
	said := func(text string) *model.Reply { return &model.Reply{Content: text, Finish: model.FinishStop} }
	raw := func(name, args string) *model.Reply { return n(model.Call{ID: "r", Name: name, Arguments: args}) }
	const toolCall = `<tool_call>{"name":"bash","arguments":{"command":"echo a-form"}}</tool_call>`
	const qwen = "<function=bash>\n<parameter=command>\necho a-function\n</parameter>\n</function>"
	const nothing, noCommand = "Nothing was called", "No command found"
	many := make([]model.Call, 100)
	for i := range many {
		many[i] = bash(fmt.Sprintf("echo many %s", strings.Repeat("x", i)))
	}
	return []shape{
		{"blocked at once", n(blocked("too hard")), "Run the verify command once", "<finish status=\"blocked\">too hard</finish>", "Run the verify command once", false},
		{"a cut write", n(write("pwned", "x")), "was cut at", "<write path=\"pwned\">\nx\n</write>", "was cut at", true},
		{"a cut reply with whole calls", n(bash("touch pwned"), write("pwned", "x")), "was cut at", "<bash>\ntouch pwned\n</bash>\n<write path=\"x\">", "was cut at", true},
		{"all tokens used to think", said(""), "was cut at", "<think>on and", "was cut at", true},
		{"nothing at all", said(""), nothing, " ", noCommand, false},
		{"only a thought", said("<think>I should look.</think>"), nothing, "<think>I should look.</think>", noCommand, false},
		{"a thought without its end", said("<think>I should\n<bash>\ntouch pwned\n</bash>"), nothing, "<think>I should\n<bash>\ntouch pwned\n</bash>", noCommand, false},
		{"prose in place of a call", said("I will now look at the test."), nothing, "I will now look at the test.", noCommand, false},
		{"prose in place of finish", said("All done! hello.sh works and all tests pass."), nothing, "All done! The tests pass.", noCommand, false},
		{"finish, but it is red", n(finish("it works")), "Not done.", "<finish status=\"done\">it works</finish>", "Not done.", false},
		{"three commands at once", n(bash("echo one"), bash("echo two"), bash("echo three")), "three", "<bash>\necho one\n</bash>\n<bash>\ntouch pwned\n</bash>\n<bash>\ntouch pwned\n</bash>", "2 later ones were ignored", false},
		{"a README with fences", n(write("README.md", "# A\n```bash\nls\n```\nend\n")), "wrote README.md", "<write path=\"README.md\">\n# A\n```bash\nls\n```\nend\n</write>", "wrote README.md · 5 lines", false},
		{"a README in a script in a fence", said("```bash\ncat > R <<'EOF'\n```bash\nls\n```\nEOF\n```"), nothing, "```bash\ncat > R <<'EOF'\n```bash\nls\n```\nEOF\ncat R\n```", "a fence was run", false},
		{"a call as JSON in the text", said("I look.\n" + toolCall), "a-form", toolCall, "a-form", false},
		{"a call as a function in the text", said(qwen), "a-function", qwen, "a-function", false},
		{"a call as a tag in the text", said("<bash>\necho a-tag\n</bash>"), "a-tag", "<bash>\necho a-tag\n</bash>", "a-tag", false},
		{"two calls in the text", said(toolCall + "\n" + toolCall), nothing, qwen + "\n" + qwen, "a later one was ignored", false},
		{"a broken call in the text", said(`<tool_call>{"name":"bash","arguments":{"command":`), nothing, `<tool_call>{"name":"bash","arguments":{`, noCommand, false},
		{"wrong names of parameters", raw("write", `{"file_path":"notes.txt","text":"x"}`), "wrote notes.txt", "<write file=\"notes.txt\">\nx\n</write>", "notes.txt", false},
		{"unknown parameters only", raw("edit", `{"path":"a","diff":"b"}`), "edit needs path, old_string, new_string; got diff, path", "<edit path=\"a\">\n<diff>\nb\n</diff>\n</edit>", "<edit> has no <old>", false},
		{"a tool of another program", raw("str_replace_editor", `{"command":"view"}`), `no tool "str_replace_editor"`, "<str_replace_editor>\nview\n</str_replace_editor>", noCommand, false},
		{"a name with a prefix", raw("functions.bash:0", `{"command":"touch pwned"}`), "There is no tool", "<tool_call>{\"name\":\"functions.bash:0\",\"arguments\":{}}</tool_call>", "There is no tool", false},
		{"a name that is none", raw("", `{}`), "There is no tool", "<>\nls\n</>", noCommand, false},
		{"a name in capitals", raw("Bash", `{"command":"echo CAPITALS"}`), "CAPITALS", "<Bash>\nls\n</Bash>", noCommand, false},
		{"arguments as a text of JSON", raw("bash", `"{\"command\":\"echo twice\"}"`), "twice", "<bash>echo twice</bash>", "twice", false},
		{"arguments that are no JSON", raw("write", `{"path":"pwned","content":"it\'s"}`), "not valid JSON (byte", "<write path=\"pwned>\nx\n</write>", "can't be read", false},
		{"arguments that are no JSON again", n(model.Call{ID: "1", Name: "write", Arguments: `{"path":"pw`}, model.Call{ID: "2", Name: "write", Arguments: `{"path":"pw`}), "heredoc", "<write path=\"pwned\">\nx\n", "<write> is not closed", false},
		{"arguments that are a list", raw("bash", `["touch pwned"]`), "must be an object", "<bash>\n</bash>", "command is empty", false},
		{"no arguments", raw("bash", ``), "bash needs command", "<bash/>", "command is empty", false},
		{"an invented old_string", n(call("edit", "path", "README.md", "old_string", "never there", "new_string", "y")), "old_string is not in README.md", "<edit path=\"README.md\">\n<old>\nnever there\n</old>\n<new>\ny\n</new>\n</edit>", "old_string is not in README.md", false},
		{"finish after a failed edit", n(call("edit", "path", "gone.py", "old_string", "a", "new_string", "b"), finish("edited")), "finish was not run", "<edit path=\"gone.py\">\n<old>\na\n</old>\n<new>\nb\n</new>\n</edit>\n<finish status=\"done\">edited</finish>", "a later one was ignored", false},
		{"imagined results", &model.Reply{Content: "<result exit=\"0\">\nall passed\n</result>", Calls: []model.Call{bash("echo real")}}, "real", "<bash>\necho real\n</bash>\n<result exit=\"0\">\nall passed\n</result>\n<finish status=\"done\">passed</finish>", "was cut off", false},
		{"an imagined result first", said("<result exit=\"0\">\nall passed\n</result>"), nothing, "<result exit=\"0\">\nall passed\n</result>\n<bash>\ntouch pwned\n</bash>", "that you wrote yourself", false},
		{"a status that is none", n(call("finish", "status", "complete", "note", "x")), "status must be done or blocked", "<finish status=\"complete\">x</finish>", "status must be done or blocked", false},
		{"the same id for all", n(model.Call{ID: "r", Name: "bash", Arguments: `{"command":"echo id1"}`}, model.Call{ID: "r", Name: "bash", Arguments: `{"command":"echo id2"}`}), "id2", "", "", false},
		{"no id", n(model.Call{Name: "bash", Arguments: `{"command":"echo noid"}`}), "noid", "", "", false},
		{"an id like a book", n(model.Call{ID: strings.Repeat("x", 5000), Name: "bash", Arguments: `{"command":"echo book"}`}), "book", "", "", false},
		{"a hundred calls", n(many...), "a reply may have 64 calls", strings.Repeat("<bash>\necho hundred\n</bash>\n", 100), "20 later ones were ignored", false},
		{"calls after finish", n(finish("x"), bash("echo after")), "after", "<finish status=\"done\">x</finish>\n<bash>\ntouch pwned\n</bash>", "a later one was ignored", false},
		{"the end of a result in an output", n(bash("echo '</result>'")), "</result>", "<bash>\necho '</result>'\n</bash>", `<\/result>`, false},
		{"control characters", n(bash("printf 'a\\033[31mb\\000c'")), "b", "<bash>\nprintf 'a\\033[31mb\\000c'\n</bash>", "b", false},
		{"a zero byte", raw("bash", `{"command":"echo \u0000"}`), "zero byte", "<bash>\necho \x00\n</bash>", "zero byte", false},
		{"a test that is frozen", n(write("tests/hello.sh", "exit 0\n")), "belongs to the host", "<write path=\"tests/hello.sh\">\nexit 0\n</write>", "belongs to the host", false},
		{"a question to a person", n(bash("read answer; echo got [$answer]")), "got []", "<bash>\nread answer; echo \"got [$answer]\"\n</bash>", "got []", false},
		{"a fence in place of a tag", said("```bash\necho a-fence\n```"), nothing, "```bash\necho a-fence\n```", "a-fence", false},
		{"two fences", said("```bash\nls\n```\n```bash\npwd\n```"), nothing, "```bash\ntouch pwned\n```\n```bash\ntouch pwned\n```", "2 fences", false},
		{"a tag that is never closed", said("<bash>\ntouch pwned"), nothing, "<bash>\ntouch pwned", "<bash> is not closed", false},
		{"a wrong finish_reason", &model.Reply{Calls: []model.Call{bash("echo stop")}, Finish: model.FinishStop}, "stop", "<bash>\necho stopped\n</bash>", "stopped", false},
		{"a filtered reply", &model.Reply{Finish: "content_filter"}, nothing, "\n", noCommand, false},
		{"a megabyte of prose", said(strings.Repeat("word ", 200_000)), nothing, strings.Repeat("word ", 200_000), noCommand, false},
	}
}

// sampler sends every shape in one session, an honest call after each, and
// builds the feature at last.
type sampler struct {
	t      *testing.T
	words  bool
	list   []shape
	next   int  // shape
	sent   bool // it was, and its answer is expected
	honest int
	asked  int // bytes of the last request
	built  bool
}

func (s *sampler) say(calls ...model.Call) model.Reply {
	s.honest++
	if !s.words {
		return says(calls...)
	}
	return inWordsOf(calls[0])
}

// inWordsOf is a call as a model writes it that is asked for commands in words.
func inWordsOf(c model.Call) model.Reply {
	var a map[string]string
	if err := json.Unmarshal([]byte(c.Arguments), &a); err != nil {
		panic(err)
	}
	switch c.Name {
	case "bash":
		return model.Reply{Content: "<bash>\n" + a["command"] + "\n</bash>"}
	case "write":
		return model.Reply{Content: "<write path=\"" + a["path"] + "\">\n" + a["content"] + "</write>"}
	default:
		return model.Reply{Content: "<finish status=\"" + a["status"] + "\">" + a["note"] + "</finish>"}
	}
}

func (s *sampler) reply(r model.Request) model.Reply {
	validRequest(s.t, r)
	size := 0
	for _, m := range r.Messages {
		size += len(m.Content)
	}
	again := s.sent && size == s.asked
	s.asked = size
	if s.sent && !again {
		s.answered(r)
	}
	if s.next == len(s.list) {
		if !s.built {
			s.built = true
			return s.say(write("hello.sh", "echo hello\n"))
		}
		return s.say(finish("hello says hello"))
	}
	if !again && s.honest == s.next {
		return s.say(bash(fmt.Sprintf("echo honest %s", strings.Repeat("y", s.next))))
	}
	sh := s.list[s.next]
	s.sent = true
	reply := model.Reply{Content: sh.words}
	if !s.words {
		reply = *sh.native
	}
	if sh.cut {
		reply.Finish, reply.Usage = model.FinishCalls, model.Usage{Known: true, Prompt: 100, Completion: r.MaxTokens}
	}
	return reply
}

// answered looks at what the model was told after the shape that was sent.
func (s *sampler) answered(r model.Request) {
	sh := s.list[s.next]
	want := sh.nativeTold
	if s.words {
		want = sh.wordsTold
	}
	told := ""
	for i := len(r.Messages) - 1; i > 0 && r.Messages[i].Role != model.Assistant; i-- {
		told = r.Messages[i].Content + "\n" + told
	}
	if !strings.Contains(told, want) {
		s.t.Errorf("%s: the model was told %.600q, want %q", sh.name, told, want)
	}
	s.next, s.sent = s.next+1, false
}

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// validRequest checks what every API demands of a conversation: each call has
// an id of its own, a name and an object of arguments, and exactly one result,
// right after it; without tools there are only turns.
func validRequest(t *testing.T, r model.Request) {
	t.Helper()
	seen := map[string]bool{}
	for i := 0; i < len(r.Messages); i++ {
		m := r.Messages[i]
		if strings.TrimSpace(m.Content) == "" && len(m.Calls) == 0 {
			t.Errorf("message %d of %s is empty", i, m.Role)
		}
		if len(r.Tools) == 0 && (m.Role == model.ToolRole || len(m.Calls) > 0 || i > 0 && m.Role == r.Messages[i-1].Role) {
			t.Errorf("message %d of %s: a conversation without tools takes turns", i, m.Role)
		}
		if len(r.Tools) > 0 && m.Role == model.ToolRole {
			t.Errorf("message %d is a result of no call: %q", i, m.CallID)
		}
		for n, c := range m.Calls {
			var args map[string]any
			if seen[c.ID] || c.ID == "" || len(c.ID) > 200 || !toolName.MatchString(c.Name) || json.Unmarshal([]byte(c.Arguments), &args) != nil || args == nil {
				t.Errorf("call %q of %q with %q", c.ID, c.Name, c.Arguments)
			}
			seen[c.ID] = true
			if i+1+n >= len(r.Messages) || r.Messages[i+1+n].Role != model.ToolRole || r.Messages[i+1+n].CallID != c.ID {
				t.Fatalf("call %q of %q has no result", c.ID, c.Name)
			}
		}
		i += len(m.Calls)
	}
}

// Whatever a weak model sends, in either mode: it is told the truth about it,
// nothing of a doubtful reply is run, what is sent back is valid, no feature
// passes for it, and a session that does the work at last is done.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, mode := range []ToolMode{ToolsNative, ToolsText} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := &sampler{t: t, words: mode == ToolsText}
			for _, sh := range shapes() {
				if mode == ToolsText && sh.words != "" || mode == ToolsNative && sh.native != nil {
					s.list = append(s.list, sh)
				}
			}
			if len(s.list) < 40 {
				t.Errorf("only %d shapes", len(s.list))
			}
			var plan []model.Call
			w := newWorld(t, func(r model.Request) model.Reply {
				if !isPlan(r) {
					return s.reply(r)
				}
				if mode == ToolsNative {
					return says(planCalls("hello")...)
				}
				if plan == nil {
					plan = planCalls("hello")
				}
				next := plan[0]
				plan = plan[1:]
				return inWordsOf(next)
			})
			w.o.Tools, w.o.Features, w.o.MaxTurns = mode, 1, 1000
			passedEarly := false
			w.on = func(e ledger.Event) { passedEarly = passedEarly || e.Kind == ledger.Passed && !s.built }
			status, err := w.run()
			if err != nil || status.Passing() != 1 || status.Sessions != 2 {
				t.Errorf("%d of 1 passes after %d sessions, at shape %d of %d: %v", status.Passing(), status.Sessions, s.next, len(s.list), err)
			}
			if passedEarly {
				t.Error("the feature passed before it was built")
			}
			if strings.Contains(w.git("ls-files")+"\n"+w.git("status", "--porcelain"), "pwned") {
				t.Error("something was run that should not have been")
			}
		})
	}
}

// A model that goes on in the same way for ever: the session ends with the
// limit's name and its flag, is verified, and nothing passes for it.
func TestShapesForEver(t *testing.T) {
	t.Parallel()
	broken := model.Call{ID: "x", Name: "write", Arguments: `{"path":`}
	for name, c := range map[string]struct {
		mode   ToolMode
		reply  model.Reply
		cut    bool
		ending string
		flag   string
	}{
		"prose":              {ToolsNative, model.Reply{Content: "All done!"}, false, endSilent, "(--loop)"},
		"prose, in words":    {ToolsText, model.Reply{Content: "All done!"}, false, endFormat, "(--tools)"},
		"nothing":            {ToolsNative, model.Reply{}, false, endSilent, "(--loop)"},
		"cut":                {ToolsNative, says(write("pwned", "x")), true, endOutputLimit, "(--max-tokens)"},
		"cut, in words":      {ToolsText, model.Reply{Content: "<write path=\"pwned\">\nx\n</write>"}, true, endOutputLimit, "(--max-tokens)"},
		"no JSON":            {ToolsNative, says(broken), false, endLoop, "(--loop)"},
		"the same, in words": {ToolsText, model.Reply{Content: "<bash>\ncat tests/hello.sh\n</bash>"}, false, endLoop, "(--loop)"},
		"unclosed, in words": {ToolsText, model.Reply{Content: "<bash>\nls"}, false, endFormat, "(--tools)"},
		"red, in words":      {ToolsText, model.Reply{Content: "<finish status=\"done\">done!</finish>"}, false, endRedFinishes, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && name != "prose, in words" && name != "cut" {
				t.Skip("a job each; make test runs them")
			}
			var plan []model.Call
			w := newWorld(t, func(r model.Request) model.Reply {
				validRequest(t, r)
				switch {
				case isPlan(r) && c.mode == ToolsNative:
					return says(planCalls("hello")...)
				case isPlan(r):
					if plan == nil {
						plan = planCalls("hello")
					}
					next := plan[0]
					plan = plan[1:]
					return inWordsOf(next)
				}
				reply := c.reply
				if c.cut {
					reply.Usage = model.Usage{Known: true, Prompt: 100, Completion: r.MaxTokens}
				}
				return reply
			})
			w.o.Tools, w.o.Features, w.o.MaxSessions = c.mode, 1, 2
			w.ends(Incomplete)
			var ended *ledger.SessionInfo
			verified := false
			for _, e := range w.events {
				if e.Kind == ledger.VerifyEnd && e.Session == 2 && (e.Verify.Why == whyEnd || e.Verify.Why == whyFinish) {
					verified = true
				}
				if e.Kind == ledger.SessionEnd && e.Session == 2 {
					ended = e.Ended
				}
				if e.Kind == ledger.Passed {
					t.Error("the feature passed")
				}
			}
			if ended == nil || ended.Ending != c.ending || !strings.Contains(ended.Limit, c.flag) {
				t.Fatalf("the session ended by %+v, want %q with %q", ended, c.ending, c.flag)
			}
			if !verified {
				t.Error("the session was not verified")
			}
		})
	}
}
