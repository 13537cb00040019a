package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// editedMax bounds an edited list in bytes.
const editedMax = 1 << 20

// editHead and editFoot stand around a list in the editor. They also keep what
// a model wrote out of the lines in which an editor looks for commands to
// itself (vim's modelines are in the first and last five).
const editHead = `# The feature list. Lines that begin with # are left out.
#
# Each feature has id, category (functional or style), description, steps,
# verify (the command that proves it; it must fail before the work) and frozen
# (the files by which it is judged). passes and blocked are the host's.
#
`

const editFoot = `#
#
#
#
# The end of the feature list.
`

// editList lets a person edit a list in their editor, until package feature
// finds nothing wrong with it. A nil list: nothing was changed, or it was given
// up. The draft is what they wrote, to go on with; nil if it says nothing new.
func (a *app) editList(ctx context.Context, dir string, was []feature.Feature, text []byte) (edited, draft []byte, err error) {
	for {
		saved, err := a.edit(ctx, dir, text)
		if err != nil {
			return nil, text, err
		}
		text = saved
		list, problems := feature.ParseStrict(text)
		if len(problems) == 0 {
			if feature.Hash(list) == feature.Hash(was) {
				a.screen.Print("Nothing was changed.")
				return nil, nil, nil
			}
			return text, text, nil
		}
		a.screen.Print("The list has faults:")
		for _, p := range problems {
			a.printProblems([]string{p.String()})
		}
		again, err := a.ask(ctx, "Edit it again? [y]es / [n]o, leave the list as it was ")
		if err != nil || !again {
			return nil, text, err
		}
	}
}

// edit opens a copy of a list in the person's editor and returns what they
// saved. The copy lies in a private directory outside of the project, where no
// box reaches it and no editor finds settings of the model's.
func (a *app) edit(ctx context.Context, project string, text []byte) (saved []byte, err error) {
	program, err := a.editor()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "glovebox-list-")
	if err != nil {
		return nil, fail(runner.FailedRun, "can TMPDIR be written to?", "make a place for the editor: %v", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if inside(realPath(project), realPath(dir)) {
		return nil, usage("set TMPDIR to another directory", "temporary files would lie in the project, where the model reaches them")
	}
	name := filepath.Join(dir, feature.File)
	if err := os.WriteFile(name, editable(text), 0o600); err != nil {
		return nil, fail(runner.FailedRun, "is there room on the disk?", "write the list for the editor: %v", err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", program+` "$1"`, "sh", name)
	cmd.Dir, cmd.Env = dir, a.environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.rawErr, a.rawErr
	a.screen.Ask("") // nothing is drawn over the editor
	err = cmd.Run()
	a.screen.Answered()
	if err != nil {
		return nil, fail(runner.Usage, "VISUAL or EDITOR names the editor", "the editor %s ended badly (%v); the list stays as it was", program, err)
	}
	return readEdited(name)
}

// editor is the person's: VISUAL, EDITOR, else vi if it is there and has a terminal.
func (a *app) editor() (string, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if program := strings.TrimSpace(a.env(name)); program != "" {
			return program, nil
		}
	}
	if _, err := exec.LookPath("vi"); err == nil && a.canAsk() { // without a terminal it would wait for ever
		return "vi", nil
	}
	return "", usage("for example: export EDITOR=nano", "no editor is known: VISUAL and EDITOR are not set, and there is no vi or no terminal for it")
}

func readEdited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fail(runner.Usage, "save the file under the name that it has", "read the edited list: %v", cause(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, editedMax+1))
	if err != nil || len(data) > editedMax {
		return nil, usage("it may have 1 MiB", "the edited list can't be read, or is too large")
	}
	return withoutComments(data), nil
}

// editable is a list between its comments, in characters that show what they
// are: what is invisible or reorders text is written as \uXXXX.
func editable(text []byte) []byte {
	var b bytes.Buffer
	b.WriteString(editHead)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || unicode.IsPrint(r) && r != utf8.RuneError:
			b.Write(text[:size])
		case r > 0xffff:
			one, two := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, one, two)
		case r == '\t':
			b.WriteString("  ")
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	b.WriteString(editFoot)
	return b.Bytes()
}

// withoutComments takes out lines that begin with #, which no list has.
func withoutComments(data []byte) []byte {
	var kept [][]byte
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte("#")) {
			kept = append(kept, line)
		}
	}
	return bytes.Join(kept, nil)
}
