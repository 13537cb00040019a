package feature

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// stateVersion is the format of the state file; it rises when a reader of the
// old one would misread the new one.
const stateVersion = 1

// stateMax bounds the state file in bytes: a list and its red lines fit easily.
const stateMax = 4 << 20

// State is the truth about a job's features, in a file that no box can reach.
type State struct {
	Features []Feature `json:"features"`
	Note     string    `json:"note,omitempty"`     // what the list does not cover, in the initializer's words
	Hash     string    `json:"hash"`               // of the list as it was accepted, see [Hash]
	Approved string    `json:"approved,omitempty"` // how: yes-flag, person or file; "" is not yet
	By       string    `json:"by,omitempty"`       // who ran the command that accepted it
	// AcceptedHash is Hash as it was then; later changes of the list leave it alone.
	AcceptedHash string `json:"accepted_hash,omitempty"`
	// Remark is what a person wants to be different; the initializer has not answered yet.
	Remark string `json:"remark,omitempty"`
	// Red is the last line that each verify printed when it was seen failing before the work began, by id.
	Red map[string]string `json:"red,omitempty"`
	// Unseen are features whose verify a person has changed since and that nobody has seen failing yet.
	Unseen []string `json:"unseen,omitempty"`
	// Disputes are what the model says against the test of a feature, by id, until that is settled.
	Disputes map[string]string `json:"disputes,omitempty"`
	// Tried are the features whose test had its session of revision.
	Tried []string `json:"tried,omitempty"`
	// Attempts counts the coding sessions of a feature, by id.
	Attempts map[string]int `json:"attempts,omitempty"`
	// Flaky says of a feature, by id, what its verify did when it gave different
	// results on the same files. It is no part of it any more when the feature passes.
	Flaky map[string]string `json:"flaky,omitempty"`
}

// stateFile is the state as it lies on disk.
type stateFile struct {
	V int `json:"v"`
	State
}

// Load reads the state name below root. A missing file is fs.ErrNotExist. What
// is not exactly a state is an error: half a truth must not be built upon.
func Load(root *os.Root, name string) (State, error) {
	data, err := atomicfile.Read(root, name, stateMax)
	if err != nil {
		return State{}, fmt.Errorf("read %s: %w", name, err)
	}
	if !utf8.Valid(data) { // which the decoder would mend in silence
		return State{}, fmt.Errorf("%s is damaged: it is not UTF-8", name)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f stateFile
	if err := d.Decode(&f); err != nil {
		return State{}, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return State{}, fmt.Errorf("%s is damaged: there is text after its end", name)
	}
	if f.V != stateVersion {
		return State{}, fmt.Errorf("%s has format %d, and this glovebox reads format %d", name, f.V, stateVersion)
	}
	if got := Hash(f.Features); got != f.Hash {
		return State{}, fmt.Errorf("%s is damaged: the list has hash %.12s, not %.12s as it was accepted", name, got, f.Hash)
	}
	return f.State, nil
}

// Save writes s to name below root, whole or not at all. It sets Hash.
func (s *State) Save(root *os.Root, name string) error {
	s.Hash = Hash(s.Features)
	data, err := marshal(stateFile{V: stateVersion, State: *s})
	if err != nil {
		return fmt.Errorf("save features: %w", err)
	}
	if err := atomicfile.Write(root, name, data, 0o600); err != nil {
		return fmt.Errorf("save features: %w", err)
	}
	return nil
}

// marshal is v as indented JSON with a final newline. "<" and "&" stay as they
// are: commands are full of them and people read this.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
