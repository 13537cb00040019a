package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

const (
	logMax   = 16 << 20     // bytes of a reflog that is mended
	stashLog = "refs/stash" // it is the list of stashes itself
)

// restoreLogs puts back the lines that a session has removed from git's
// reflogs; what was added stays, but for the stashes, whose log must fit the ref.
func (j *job) restoreLogs(ctx context.Context) error {
	kept, err := j.state.root.OpenRoot(originalDir)
	if err != nil {
		return err
	}
	defer kept.Close()
	logs, err := sandbox.Descend(kept, "logs")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer logs.Close()
	mended := 0
	err = walk(ctx, logs, nil, func(f found) error {
		if !f.info.Mode().IsRegular() || f.info.Size() > logMax {
			return nil
		}
		want, err := atomicfile.Read(f.dir, f.name, logMax)
		if err != nil {
			return err
		}
		at := path.Join(".git/logs", f.path)
		have, err := j.files.read(at, 2*logMax)
		if err == nil && bytes.HasPrefix(have, want) && (f.path != stashLog || len(have) == len(want)) {
			return nil
		}
		if f.path != stashLog {
			want = append(want, newLines(have, want)...)
		}
		mended++
		return j.files.write(at, want, plainMode(f.info))
	})
	if err != nil || mended == 0 {
		return err
	}
	return j.note(fmt.Sprintf("lines of %d reflogs (the list of stashes is one) were removed or changed; they are put back", mended))
}

// newLines are the lines of have that known has not.
func newLines(have, known []byte) (lines []byte) {
	old := map[string]bool{}
	for line := range bytes.Lines(known) {
		old[string(line)] = true
	}
	for line := range bytes.Lines(have) {
		if !old[string(line)] {
			lines = append(lines, line...)
		}
	}
	return lines
}
