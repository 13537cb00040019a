package tool

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/plain"
)

// Bounds of a call.
const (
	maxArguments = 1 << 20 // bytes of JSON
	// maxCommand is a little below Linux's limit for one argument, 128 KiB.
	maxCommand = 120 << 10
	maxNote    = 2000 // bytes; the rest is cut off
)

// CallError says to the model why a call was not executed.
type CallError struct {
	Tool   Name
	Syntax bool   // the arguments were no JSON
	Text   string // for the model
	again  string // for the model, if it happens twice in a row
}

func (e *CallError) Error() string { return e.Text }

// Parse checks a call. The error is always a *CallError; Env.Refused makes the
// call's result of it. Parameters that are not known are ignored; so is the
// case of the tool's name, for many models know tools called "Bash" and "Read".
func Parse(c model.Call) (Use, error) {
	name := Name(strings.ToLower(strings.TrimSpace(c.Name)))
	if parameters(name) == nil {
		return Use{}, &CallError{Tool: name, Text: prompts.Message("E1", map[string]any{
			"Tool": plain.Line(c.Name, 60), "Tools": "bash, read, write, edit, finish"})}
	}
	if len(c.Arguments) > maxArguments {
		return Use{}, wrong(name, fmt.Sprintf("the arguments have %s; %s is the limit", size(len(c.Arguments)), size(maxArguments)))
	}
	raw, asText, err := object(c.Arguments)
	if err != nil {
		return Use{}, broken(name, err)
	}
	a := &arguments{use: Use{Name: name}, raw: map[string]json.RawMessage{}}
	if asText {
		a.use.Aliases = append(a.use.Aliases, "arguments as text")
	}
	if c.Name != string(name) {
		a.use.Aliases = append(a.use.Aliases, plain.Line(c.Name, 20))
	}
	if err := a.collect(raw); err != nil {
		return Use{}, err
	}
	a.read()
	if a.fault != "" {
		return Use{}, wrong(name, a.fault)
	}
	return a.use, nil
}

// object reads the arguments. Some models send the object as a text of JSON.
func object(text string) (raw map[string]json.RawMessage, asText bool, err error) {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		text, asText = inner, true
	}
	err = json.Unmarshal([]byte(text), &raw)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) || err == nil && raw == nil {
		return nil, asText, errors.New("they must be an object")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, asText, fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return raw, asText, err
}

// broken is E2: the arguments are no JSON.
func broken(name Name, err error) *CallError {
	data := map[string]any{"Tool": name, "Fault": plain.Line(err.Error(), 120), "Verb": name.verb(), "Again": false}
	e := &CallError{Tool: name, Syntax: true, Text: prompts.Message("E2", data)}
	data["Again"] = true
	e.again = prompts.Message("E2", data)
	return e
}

// wrong says what is the matter with a value.
func wrong(name Name, fault string) *CallError {
	return &CallError{Tool: name, Text: prompts.Message("E3-value", map[string]any{"Tool": name, "Fault": fault, "Verb": name.verb()})}
}

// arguments are those of one call on their way to a Use.
type arguments struct {
	use   Use
	raw   map[string]json.RawMessage // under the names of ours
	fault string                     // the first one
}

// collect sorts the values under our names and sees that none is missing.
func (a *arguments) collect(raw map[string]json.RawMessage) error {
	var needs []string
	missing := false
	for _, p := range parameters(a.use.Name) {
		required := p.required && a.raw["box"] == nil
		if required {
			needs = append(needs, p.name)
		}
		for _, name := range append([]string{p.name}, p.aliases...) {
			if value, ok := raw[name]; ok && string(value) != "null" {
				a.raw[p.name] = value
				if name != p.name {
					a.use.Aliases = append(a.use.Aliases, name)
				}
				break
			}
		}
		missing = missing || required && a.raw[p.name] == nil
	}
	if !missing {
		return nil
	}
	return &CallError{Tool: a.use.Name, Text: prompts.Message("E3", map[string]any{
		"Tool": a.use.Name, "Needs": strings.Join(needs, ", "), "Got": names(raw), "Verb": a.use.Name.verb()})}
}

// names lists the parameters that came, bounded.
func names(raw map[string]json.RawMessage) string {
	all := slices.Sorted(maps.Keys(raw))
	if len(all) == 0 {
		return "nothing"
	}
	return plain.Line(strings.Join(all, ", "), 100)
}

// read takes the values of the tool that is used.
func (a *arguments) read() {
	u := &a.use
	switch u.Name {
	case Bash:
		u.Timeout = a.seconds("timeout")
		if a.raw["box"] != nil {
			a.aboutBox()
			return
		}
		u.Command = a.text("command")
		a.refuse(strings.TrimSpace(u.Command) == "", "command is empty")
		a.refuse(strings.ContainsRune(u.Command, 0), "command holds a zero byte")
		a.refuse(len(u.Command) > maxCommand, fmt.Sprintf("command has %s; %s is the limit: write a file and run that", size(len(u.Command)), size(maxCommand)))
	case Read:
		u.Path, u.Offset, u.Limit = a.path(), a.number("offset"), a.number("limit")
	case Write:
		u.Path, u.Content = a.path(), a.text("content")
	case Edit:
		u.Path, u.Old, u.New, u.All = a.path(), a.text("old_string"), a.text("new_string"), a.boolean("replace_all")
		a.refuse(u.Old == "", "old_string is empty; use write to make a file")
		a.refuse(u.Old == u.New, "old_string and new_string are the same")
	case Finish:
		u.Status, u.Note = strings.ToLower(strings.TrimSpace(a.text("status"))), cutBytes(strings.TrimSpace(a.text("note")), maxNote)
		a.refuse(u.Status != StatusDone && u.Status != StatusBlocked, "status must be done or blocked")
		a.refuse(u.Status == StatusBlocked && u.Note == "", "note must say why it is blocked")
	}
}

// aboutBox reads a call of bash that looks at a box which was kept, or ends it.
func (a *arguments) aboutBox() {
	a.use.Box = strings.TrimSpace(a.text("box"))
	if a.raw["command"] != nil {
		a.use.Command = strings.TrimSpace(a.text("command"))
	}
	a.refuse(a.use.Box == "", "box is empty")
	a.refuse(a.use.Command != "" && a.use.Command != StopBox,
		"with box, command is left out, which shows its output, or \"stop\"; without box it runs in a new one, which reaches the box's servers on localhost")
}

// refuse keeps the first fault.
func (a *arguments) refuse(is bool, fault string) {
	if is && a.fault == "" {
		a.fault = fault
	}
}

func (a *arguments) text(name string) string {
	var s string
	if err := json.Unmarshal(a.raw[name], &s); err != nil {
		a.refuse(true, name+" must be a string")
	}
	return s
}

func (a *arguments) path() string {
	p := a.text("path")
	a.refuse(strings.TrimSpace(p) == "", "path is empty")
	a.refuse(strings.ContainsRune(p, 0), "path holds a zero byte")
	a.refuse(len(p) > 4096, "path is longer than 4096 bytes")
	return p
}

// number takes an integer, also one in a string or with a fraction of zero. 0 is "not given".
func (a *arguments) number(name string) int {
	raw := a.raw[name]
	if raw == nil {
		return 0
	}
	var f float64
	digits := strings.TrimSpace(strings.Trim(string(raw), `"`))
	if err := json.Unmarshal([]byte(digits), &f); err != nil || f != float64(int32(f)) || f < 0 {
		a.refuse(true, name+" must be a whole number from 0")
		return 0
	}
	return int(f)
}

func (a *arguments) seconds(name string) time.Duration {
	return time.Duration(a.number(name)) * time.Second
}

func (a *arguments) boolean(name string) bool {
	switch strings.ToLower(strings.Trim(string(a.raw[name]), `"`)) {
	case "true", "1":
		return true
	case "", "false", "0":
		return false
	default:
		a.refuse(true, name+" must be true or false")
		return false
	}
}
