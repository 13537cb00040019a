package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/runner/feature"
)

// oldListFile keeps a predecessor's list as the project brought it: what
// sessions make of the one in the workspace must not decide what was wanted.
const oldListFile = "old_list.json"

// loadOld looks for a list of the predecessor's, before the first session of a
// job, and takes it over: the initializer adds what it lacks.
func (j *job) loadOld() error {
	data, err := atomicfile.Read(j.state.root, oldListFile, listMax)
	switch {
	case err == nil:
		j.old, _ = feature.ParseOld(data)
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case j.past.sessions > 0 || j.o.SignedOff != nil:
		return nil
	}
	if data, err = j.files.read(publicList, listMax); err != nil {
		return nil // there is none, or nothing that anybody could go by
	}
	old, ok := feature.ParseOld(data)
	if !ok {
		return nil
	}
	if err := atomicfile.Write(j.state.root, oldListFile, data, 0o600); err != nil {
		return err
	}
	j.old = old
	return j.note(fmt.Sprintf("feature_list.json has %d features without verify: they are taken over, the first session adds what proves them", len(old)))
}

// unlikeOld says where a list is not the one that was taken over: its entries
// must be the old ones, in their order. Some may be left out.
func (j *job) unlikeOld(list feature.List) (problems []string) {
	if j.old == nil || j.list.Remark != "" {
		return nil
	}
	next := 0
	for i, f := range list {
		at := next
		for at < len(j.old) && !j.old[at].Is(f) {
			at++
		}
		if at == len(j.old) {
			problems = append(problems, fmt.Sprintf("- entry %d (%s): description: is not one of the list that was there, or not in its order; keep descriptions word for word", i+1, f.ID))
			continue
		}
		next = at + 1
	}
	return problems
}

// withLeftOut is the initializer's note, and what of an old list it has left out.
func (j *job) withLeftOut(list feature.List, note string) string {
	var out []string
	for _, o := range j.old {
		kept := false
		for _, f := range list {
			kept = kept || o.Is(f)
		}
		if !kept {
			out = append(out, clip(o.Description, 100))
		}
	}
	if len(out) == 0 || j.list.Remark != "" {
		return note
	}
	return strings.TrimSpace(note + " Left out of the list that was there: " + clip(strings.Join(out, "; "), noteBytes) + ".")
}
