package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// volumeFile says which volumes a process works in: a line of JSON, and then
// what is known of the workspace's copy.
const volumeFile = "volume"

// volumeMax bounds it in bytes: what is known of treeEntries files.
const volumeMax = 256 << 20

// volumeRecord is its first line.
type volumeRecord struct {
	Workspace string `json:"workspace"`
	Home      string `json:"home,omitempty"`
}

// save writes down where the workspace is and what is known of it, so that
// nothing of a process that is killed is lost.
func (v *volumes) save() error {
	line, err := json.Marshal(volumeRecord{v.workspace.volume, v.home})
	if err != nil {
		return err
	}
	b := bytes.NewBuffer(append(line, '\n'))
	if err := v.workspace.mirror.Save(b); err != nil {
		return err
	}
	return atomicfile.Write(v.job.state.root, volumeFile, b.Bytes(), 0o600)
}

// recoverVolume fetches what a process that was killed has left in its volume,
// and removes it. Only what boxes have changed since it was last fetched is
// taken: what somebody has done in the directory meanwhile stays. The new
// process makes volumes of its own, which carry its name.
func (j *job) recoverVolume(ctx context.Context) error {
	data, err := atomicfile.Read(j.state.root, volumeFile, volumeMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := j.recoverFrom(ctx, data); err != nil {
		return err
	}
	return j.state.root.Remove(volumeFile)
}

func (j *job) recoverFrom(ctx context.Context, data []byte) error {
	line, known, _ := bytes.Cut(data, []byte("\n"))
	var record volumeRecord
	if err := json.Unmarshal(line, &record); err != nil {
		return fmt.Errorf("read %s/%s: %w", stateDir, volumeFile, err)
	}
	engine, able := j.o.Engine.(sandbox.Volumes)
	if !able {
		return nil
	}
	has, err := engine.HasVolume(ctx, record.Workspace, j.state.job.ID)
	if err != nil {
		return startError(ctx, err)
	}
	if !has { // removed, or of another engine; the directory is as it was last fetched
		return j.note("the volume of the process before is gone, and with it what was not fetched yet")
	}
	c := &copied{volume: record.Workspace, mirror: j.recoveringMirror()}
	if err := c.mirror.Load(bytes.NewReader(known)); err != nil {
		return fmt.Errorf("read %s/%s: %w", stateDir, volumeFile, err)
	}
	moved, err := j.pull(ctx, c)
	if err != nil {
		return err
	}
	if moved.Entries+moved.Gone > 0 {
		if err := j.note(fmt.Sprintf("what the process before had left in a volume was fetched: changes %d, removals %d", moved.Entries, moved.Gone)); err != nil {
			return err
		}
	}
	err = engine.RemoveVolume(ctx, record.Workspace)
	if record.Home != "" {
		err = errors.Join(err, engine.RemoveVolume(ctx, record.Home))
	}
	return err
}

// recoveringMirror is the mirror of the process before.
func (j *job) recoveringMirror() *sandbox.Mirror {
	m := j.workspaceMirror()
	if info, err := j.state.project.Lstat("."); err == nil {
		if owner, err := ownerOf(info); err == nil {
			m.Owner = owner
		}
	}
	return m
}
