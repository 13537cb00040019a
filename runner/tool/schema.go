package tool

import (
	"fmt"
	"time"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Times of a bash call.
const (
	defaultTimeout = 2 * time.Minute
	maxTimeout     = 10 * time.Minute
)

// Tools is what a model is told of the tools, the same in every request of a
// job. Each byte is paid for with each request: 1.9 KB on the wire at most.
// timeout is the default of a bash call; 0 is two minutes.
func Tools(timeout time.Duration) []model.Tool {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	tool := func(name Name, about, parameters string) model.Tool {
		return model.Tool{Name: string(name), Description: about, Parameters: []byte(parameters)}
	}
	return []model.Tool{
		tool(Bash, "Run a bash script in a new box, in /workspace. Returns exit code and output (stdout and stderr together).",
			`{"type":"object","properties":{"command":{"type":"string","description":"The script; may have many lines."},`+
				fmt.Sprintf(`"timeout":{"type":"integer","description":"Seconds, default %d."}},"required":["command"]}`, int(timeout.Seconds()))),
		tool(Read, "Read a text file, without line numbers. Long files come in parts.",
			`{"type":"object","properties":{"path":{"type":"string","description":"Relative to /workspace, or absolute."},`+
				`"offset":{"type":"integer","description":"First line, from 1."},`+
				`"limit":{"type":"integer","description":"Number of lines, default 400."}},"required":["path"]}`),
		tool(Write, "Create a file or replace all of it. Folders are made.",
			`{"type":"object","properties":{"path":{"type":"string"},`+
				`"content":{"type":"string","description":"The whole file."}},"required":["path","content"]}`),
		tool(Edit, "Replace a piece of a file. old_string must be copied exactly from the file and occur once.",
			`{"type":"object","properties":{"path":{"type":"string"},"old_string":{"type":"string"},"new_string":{"type":"string"},`+
				`"replace_all":{"type":"boolean","description":"Replace every occurrence."}},"required":["path","old_string","new_string"]}`),
		tool(Finish, "End the session. done: the work is complete; it is then verified. blocked: it can't be completed here.",
			`{"type":"object","properties":{"status":{"type":"string","enum":["done","blocked"]},`+
				`"note":{"type":"string","description":"For the next session: what was done, what to know. If blocked: why."}},"required":["status","note"]}`),
	}
}

// parameter is one that a tool takes. Weak models use the names of other
// programs' tools; those that can mean only one thing are accepted.
type parameter struct {
	name     string
	required bool
	aliases  []string
}

// parameters are those of a tool, nil for a name that is none.
func parameters(name Name) []parameter {
	path := parameter{"path", true, []string{"file_path", "filename", "file", "filepath", "filePath"}}
	switch name {
	case Bash:
		// box is not announced: the result that names a box says how to use it.
		return []parameter{{"box", false, nil}, {"command", true, []string{"cmd", "script", "code"}}, {"timeout", false, nil}}
	case Read:
		return []parameter{path, {"offset", false, nil}, {"limit", false, nil}}
	case Write:
		return []parameter{path, {"content", true, []string{"contents", "text", "file_text"}}}
	case Edit:
		return []parameter{path,
			{"old_string", true, []string{"old_str", "old_text", "oldString", "oldText", "old"}},
			{"new_string", true, []string{"new_str", "new_text", "newString", "newText", "new"}},
			{"replace_all", false, []string{"replaceAll"}}}
	case Finish:
		return []parameter{{"status", true, nil}, {"note", true, []string{"notes", "message", "summary", "reason"}}}
	default:
		return nil
	}
}

// verb completes "Nothing was …".
func (n Name) verb() string {
	switch n {
	case Write:
		return "written"
	case Edit:
		return "changed"
	case Read:
		return "read"
	case Finish:
		return "finished"
	default:
		return "run"
	}
}
