package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// canAsk says that a person can be asked: both what is asked and what is
// answered go over a terminal.
func (a *app) canAsk() bool {
	if inCI(a.env) {
		return false
	}
	_, in := isTerminal(a.stdin)
	_, out := isTerminal(a.rawErr)
	return in && out
}

// ask puts a question with the answers yes and no. No answer is no.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	for range 3 {
		answer, err := a.answer(ctx, question)
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
	return false, nil
}

// answer puts a question and reads a line. [io.EOF] says that there will be none.
func (a *app) answer(ctx context.Context, question string) (string, error) {
	a.screen.Ask(question)
	line, err := readLine(ctx, a.stdin)
	a.screen.Answered()
	if err == io.EOF {
		a.screen.Print("") // no one has ended the line
	}
	return strings.TrimSpace(line), err
}

// maxAnswer bounds an answer in bytes: as much as a terminal takes in a line.
const maxAnswer = 4096

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
// end of the input ends the line; at once (Ctrl-D) it is [io.EOF].
func readUntilNewline(r io.Reader) (string, error) {
	var line []byte
	var one [1]byte
	for len(line) < maxAnswer {
		n, err := r.Read(one[:])
		if n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if err == io.EOF && len(line) > 0 {
			break
		}
		if err == io.EOF {
			return "", err
		}
		if err != nil {
			return "", fmt.Errorf("read the answer: %w", err)
		}
	}
	return string(line), nil
}
