package main

import (
	"fmt"

	"github.com/glovebox-run/glovebox/runner"
)

// interruptedCode is the exit code after a second signal.
var interruptedCode = runner.Interrupted.ExitCode()

// maxMessage bounds a line of a failure in runes; what a provider or a box
// said may be long.
const maxMessage = 600

// fail is an ending before or outside of a job: what happened, and a hint what
// to do about it.
func fail(o runner.Outcome, hint, format string, args ...any) error {
	return &runner.Error{Outcome: o, Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// usage is a fail for what was typed wrong.
func usage(hint, format string, args ...any) error {
	return fail(runner.Usage, hint, format, args...)
}

// failureText is the two lines that every failure consists of.
func failureText(e *runner.Error) string {
	text := "glovebox: " + cut(plain(e.Error()), maxMessage)
	if e.Hint != "" {
		text += "\nhint: " + cut(plain(e.Hint), maxMessage)
	}
	return text
}
