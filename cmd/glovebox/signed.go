package main

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// readSignedOff reads the list of --approve. In the project it would be the
// model's to change.
func readSignedOff(name, project string) ([]feature.Feature, error) {
	if name == "" {
		return nil, nil
	}
	const hint = "give a feature_list.json that a person has signed off"
	f, err := os.Open(name)
	if err != nil {
		return nil, usage(hint, "--approve %s: %v", name, cause(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, usage(hint, "--approve %s is no plain file", name)
	}
	if abs, err := filepath.Abs(name); err != nil || inside(realPath(project), realPath(abs)) {
		return nil, usage("keep it outside of --project-dir", "--approve %s lies in the project, where the model can change it", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, editedMax+1))
	if err != nil {
		return nil, usage(hint, "--approve %s: %v", name, err)
	}
	list, problems := feature.ParseStrict(data)
	if len(problems) > 0 {
		more := ""
		if len(problems) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(problems)-1)
		}
		return nil, usage(hint+"; docs/feature_list.schema.json says what it has", "--approve %s: %s%s", name, problems[0], more)
	}
	return list, nil
}

// person is who runs this, for the ledger.
func person() string {
	uid := os.Getuid()
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}

// listText says by whom and how a list was accepted, and its hash.
func listText(s runner.Status) string {
	if !s.Approved {
		return "not accepted yet"
	}
	text := "accepted " + howAccepted(s.ApprovedHow)
	if s.ApprovedHow == "person" {
		text = "accepted on a terminal"
	}
	if s.ApprovedBy != "" {
		text += " by " + s.ApprovedBy
	}
	hash := s.ApprovedHash
	if hash == "" {
		hash = s.ListHash
	}
	text += fmt.Sprintf(", hash %.12s", hash)
	if s.ListHash != hash {
		text += fmt.Sprintf("; changed since, hash %.12s", s.ListHash)
	}
	return text
}
