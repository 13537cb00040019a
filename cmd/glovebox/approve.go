package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// canAsk says that a person can be asked: both what is asked and what is
// answered go over a terminal.
func (a *app) canAsk() bool {
	_, in := isTerminal(a.stdin)
	_, out := isTerminal(a.rawErr)
	return in && out
}

// ask puts a question with the answers yes and no. No answer is no.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	for range 3 {
		a.screen.Ask(question)
		answer, err := readLine(ctx, a.stdin)
		a.screen.Answered()
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
	return false, nil
}

// maxAnswer bounds an answer in bytes.
const maxAnswer = 256

// readLine reads one line. A cancelled context ends the waiting; the read
// itself can't be ended, it lives on until the process ends, which is soon.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := readUntilNewline(r)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readUntilNewline reads byte by byte, so that what follows stays unread. The
// end of the input ends the line.
func readUntilNewline(r io.Reader) (string, error) {
	var line []byte
	var one [1]byte
	for len(line) < maxAnswer {
		n, err := r.Read(one[:])
		if n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read the answer: %w", err)
		}
	}
	return string(line), nil
}

// approve shows the planned features to a person and asks whether to build them.
func (a *app) approve(ctx context.Context, dir string, list []feature.Feature, note string) error {
	a.screen.Print("")
	s, _ := runner.ReadStatus(dir) // without it the table lacks what the proofs say now, no more
	for _, line := range featureTable(list, note, s.Red, streamColumns(a.rawErr)) {
		a.screen.Print(line)
	}
	a.screen.Print("")
	yes, err := a.ask(ctx, "Build these? [y]es / [n]o ")
	if err != nil {
		return err
	}
	if !yes {
		return fail(runner.Rejected, "change the spec and begin in another --project-dir", "the planned features were rejected; nothing was built")
	}
	return nil
}

// featureTable shows each feature with the command that proves it, and what
// that command says now, which is the best evidence that it tests something.
func featureTable(list []feature.Feature, note string, red map[string]string, columns int) []string {
	var lines []string
	ids := 0
	for _, f := range list {
		ids = max(ids, width(plain(f.ID)))
	}
	indent := strings.Repeat(" ", ids+4)
	field := func(label, text string) {
		for i, part := range wrap(plain(text), max(columns-len(indent)-9, 20)) {
			if i > 0 {
				label = ""
			}
			lines = append(lines, indent+pad(label, 8)+part)
		}
	}
	for _, f := range list {
		for i, part := range wrap(plain(f.Description), max(columns-len(indent)-1, 20)) {
			id := ""
			if i == 0 {
				id = plain(f.ID)
			}
			lines = append(lines, "  "+pad(id, ids)+"  "+part)
		}
		field("proof", f.Verify)
		field("now", red[f.ID])
	}
	if note != "" {
		lines = append(lines, "")
		for _, part := range wrap("Not covered, in the planner's words: "+plain(note), max(columns-3, 20)) {
			lines = append(lines, "  "+part)
		}
	}
	return lines
}
