// Package scripted is a model that follows a script: a YAML file says what it
// says and calls, session by session. The script is served over real HTTP in
// the OpenAI wire format, so everything between the loop and the wire runs as
// with any other model, and only the thinking is missing. No tokens are
// bought.
//
// The server has no memory. A request's own messages tell which session it
// belongs to (the runner's line "Session: …") and which turn comes next (the
// number of assistant messages), so a crash, a resumed job and a retried
// request need no special care. docs/models.md describes the file.
package scripted

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var builtin embed.FS

// maxScript bounds a script's file in bytes.
const maxScript = 1 << 20

// Script is what a scripted model does.
type Script struct {
	// Name is the model's id.
	Name string `yaml:"name"`
	// About says in a line what the script builds.
	About    string    `yaml:"about"`
	Sessions []Session `yaml:"sessions"`
}

// Session is the model's part in one kind of session, and in a coding session
// for one feature.
type Session struct {
	Kind    string `yaml:"kind"`    // initializer, coding, revision or acceptance
	Feature string `yaml:"feature"` // of a coding session or a revision
	Turns   []Turn `yaml:"turns"`
}

// Turn is one reply.
type Turn struct {
	// Say is its text.
	Say   string `yaml:"say"`
	Calls []Call `yaml:"calls"`
	// Expect is a regular expression for the result of the call before. If it
	// doesn't match, the model says so and ends the session as blocked.
	Expect string `yaml:"expect"`

	// The rest is for models that misbehave.

	// Model is the name it claims to have, "" for its own.
	Model string `yaml:"model"`
	// Status answers with an HTTP error, and Error with this message in it.
	Status int    `yaml:"status"`
	Error  string `yaml:"error"`
	// Finish replaces the finish_reason.
	Finish string `yaml:"finish"`
	// Usage replaces what is counted.
	Usage *Usage `yaml:"usage"`
	// Cut ends the stream in the middle of the answer.
	Cut bool `yaml:"cut"`

	expect *regexp.Regexp
}

// Usage is what a turn claims to have used.
type Usage struct {
	Prompt     int    `yaml:"prompt"`
	Completion int    `yaml:"completion"`
	Cost       string `yaml:"cost"` // USD, a decimal number
	None       bool   `yaml:"none"` // say nothing about usage
}

// Load reads a script: a built-in one by name, or a file if name ends in .yaml
// or .yml. Every fault of a script is an error that names the line.
func Load(name string) (*Script, error) {
	if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
		return loadFile(name)
	}
	data, err := builtin.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no script %.80q; there are %s, or give a file that ends in .yaml: %w", name, strings.Join(Names(), ", "), fs.ErrNotExist)
	}
	return parse(data, name)
}

// Names lists the built-in scripts.
func Names() []string {
	entries, err := builtin.ReadDir(".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

func loadFile(name string) (*Script, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the script: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err != nil {
		return nil, fmt.Errorf("read the script: %w", err)
	}
	if len(data) > maxScript {
		return nil, fmt.Errorf("the script %s is larger than %d bytes", name, maxScript)
	}
	return parse(data, name)
}

func parse(data []byte, name string) (*Script, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	s := &Script{}
	if err := dec.Decode(s); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, fmt.Errorf("script %s: %w", name, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("script %s: %w", name, err)
	}
	return s, nil
}

var modelID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,60}$`)

// check refuses what can be read but not played.
func (s *Script) check() error {
	if !modelID.MatchString(s.Name) {
		return fmt.Errorf("name %q: a model's id has small letters, digits, dots and dashes", s.Name)
	}
	if len(s.Sessions) == 0 {
		return errors.New("there are no sessions")
	}
	var seen []string
	for i := range s.Sessions {
		session := &s.Sessions[i]
		if slices.Contains(seen, session.title()) {
			return fmt.Errorf("there are two sessions %q", session.title())
		}
		seen = append(seen, session.title())
		if err := session.check(); err != nil {
			return fmt.Errorf("session %q: %w", session.title(), err)
		}
	}
	return nil
}

func (s *Session) check() error {
	switch {
	case !slices.Contains([]string{"initializer", "coding", "revision", "acceptance"}, s.Kind):
		return fmt.Errorf("kind %q: initializer, coding, revision and acceptance are known", s.Kind)
	case slices.Contains([]string{"coding", "revision"}, s.Kind) != (s.Feature != ""):
		return errors.New("a coding session has a feature and a revision too, an initializer has none")
	}
	for i := range s.Turns {
		if err := s.Turns[i].check(); err != nil {
			return fmt.Errorf("turn %d: %w", i+1, err)
		}
	}
	return nil
}

func (t *Turn) check() error {
	if t.Status != 0 && (t.Status < 300 || t.Status > 599) {
		return fmt.Errorf("status %d is no error", t.Status)
	}
	if t.Say == "" && len(t.Calls) == 0 && t.Status == 0 && t.Finish == "" && !t.Cut {
		return errors.New("it says and calls nothing")
	}
	var err error
	if t.expect, err = regexp.Compile(t.Expect); err != nil {
		return fmt.Errorf("expect: %w", err)
	}
	return nil
}

// title is how the runner's prompt names the session.
func (s *Session) title() string {
	if s.Feature != "" {
		return s.Kind + ", feature " + s.Feature
	}
	return s.Kind
}
