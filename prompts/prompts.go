// Package prompts holds what the model is told, as files: the prompts of the
// sessions (*.md) and the messages that answer a faulty step (messages/*.txt).
// Both are text/template files; a variable that is missing is an error.
package prompts

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed *.md messages/*.txt
var files embed.FS

// Render fills in the prompt name ("system" is the file system.md). A missing
// prompt, a variable that data lacks and a fault in the template are errors:
// a prompt with a hole in it must never reach a model.
func Render(name string, data any) (string, error) {
	text, err := render(name+".md", data)
	if err != nil {
		return "", fmt.Errorf("render prompt %s: %w", name, err)
	}
	return text, nil
}

// Message fills in the message name ("E1" is the file messages/E1.txt).
// Messages are made while a session runs, where a fault of ours must neither
// panic nor leave the model without an answer: then the message is its name
// and its data in plain form. A test renders every message.
func Message(name string, data any) string {
	text, err := render("messages/"+name+".txt", data)
	if err != nil {
		return fmt.Sprintf("%s: %v", name, data)
	}
	return text
}

func render(file string, data any) (string, error) {
	raw, err := files.ReadFile(file)
	if err != nil {
		return "", err
	}
	return execute(file, string(raw), data)
}

func execute(file, text string, data any) (string, error) {
	t, err := template.New(file).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", err
	}
	return strings.TrimRight(b.String(), "\n"), nil
}
