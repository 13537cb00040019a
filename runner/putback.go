package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/ledger"
)

// What the host puts back may be a person's work of an hour, done between two
// runs: what was there is kept aside in a directory of its own each time.
const (
	putBackDir = "putback" // in the state
	asideMax   = 200       // how many are kept of what sessions change
)

// betweenRuns says that no session has begun since a person was last alone with
// the project.
func (j *job) betweenRuns() bool { return j.past.ended || j.past.sessions == 0 }

// setAside keeps what is in the file name. place is where, below the project; it
// is "" if there is nothing to keep, or too much of it that sessions have made.
func (j *job) setAside(name string) (place string, err error) {
	info, err := j.files.lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil // nothing, or a link: what it leads to stays
	}
	data, err := j.files.read(name, frozenMax)
	if err != nil {
		if j.betweenRuns() {
			return "", &Error{Outcome: Usage, Reason: name + " was changed, is the job's, and can't be kept aside", Err: err, Hint: "move it away; the same command goes on"}
		}
		return "", nil
	}
	dir, err := j.nextAside()
	if err != nil || dir == "" {
		return "", err
	}
	place = path.Join(dir, name)
	if err := j.state.root.MkdirAll(path.Dir(place), 0o700); err != nil {
		return "", err
	}
	return path.Join(stateDir, place), atomicfile.Write(j.state.root, place, data, plainMode(info))
}

// nextAside makes the next directory in putBackDir.
func (j *job) nextAside() (dir string, err error) {
	if err := j.state.root.MkdirAll(putBackDir, 0o700); err != nil {
		return "", err
	}
	for n := 1; n <= asideMax || j.betweenRuns(); n++ {
		dir = path.Join(putBackDir, strconv.Itoa(n))
		if err := j.state.root.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
	return "", nil
}

// saidOfPutBack is the event for a file that was put back: what a person did
// between two runs is no session's fault.
func (j *job) saidOfPutBack(name, place string) ledger.Event {
	if !j.betweenRuns() {
		return ledger.Event{Kind: ledger.PutBack, Session: j.session, Text: name, Aside: place}
	}
	why, instead := "is frozen", "change what decides with `glovebox features DIR edit`"
	switch name {
	case specInWorkspace:
		why, instead = "is a copy", "change the specification that you give to `run`"
	case publicList:
		why = "is a copy"
	case notesName:
		why, instead = "is the job's", "put notes elsewhere"
	}
	what := "was changed or removed since the last run"
	if j.past.sessions == 0 {
		what = "was there"
	}
	text := fmt.Sprintf("%s %s and is put back: it %s; %s", name, what, why, instead)
	if place != "" {
		text += "; yours is in " + place
	}
	return ledger.Event{Kind: ledger.Note, Session: j.session, Text: j.clip(text, errorKept)}
}
