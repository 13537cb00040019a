// Package feature is the list of what a job has to build: read, checked,
// guarded, and the next one picked.
//
// feature_list.json in the workspace is what the model writes and sees; the
// truth is the state file that no box can reach. Only the host writes Passes.
package feature

// Feature is one thing to build and the command that proves it.
type Feature struct {
	ID          string   `json:"id"`
	Category    string   `json:"category"` // functional or style
	Description string   `json:"description"`
	Steps       []string `json:"steps"`
	// Verify is a bash command; the feature works when it exits 0 in a new box.
	Verify string `json:"verify"`
	// Frozen are files, relative to the workspace, that the builder can't
	// change: they are restored before every verification.
	Frozen  []string `json:"frozen,omitempty"`
	Passes  bool     `json:"passes"`
	Blocked bool     `json:"blocked,omitempty"`
	// Revised says that a frozen file was corrected after a dispute.
	Revised bool `json:"revised,omitempty"`
}
