package feature

import (
	"errors"
	"os"
)

// State is the truth about a job's features, in a file that no box can reach.
type State struct {
	Features []Feature `json:"features"`
	Note     string    `json:"note,omitempty"`     // what the list does not cover, in the initializer's words
	Hash     string    `json:"hash"`               // of the list as it was accepted
	Approved string    `json:"approved,omitempty"` // how: yes-flag or person; "" is not yet
	// Red is the last line that each verify printed when it was seen failing before the work began, by id.
	Red map[string]string `json:"red,omitempty"`
	// Attempts counts the coding sessions of a feature, by id.
	Attempts map[string]int `json:"attempts,omitempty"`
}

// Load reads the state name below root. A missing file is fs.ErrNotExist.
func Load(root *os.Root, name string) (State, error) { return State{}, errors.ErrUnsupported }

// Save writes s to name below root, whole or not at all.
func (s State) Save(root *os.Root, name string) error { return errors.ErrUnsupported }
