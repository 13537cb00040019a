package runner

import (
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/glovebox-run/glovebox/sandbox/tree"
)

// seal takes down what the graders of a copy and their directories are, before
// something is run that must not touch them.
func (c *checkout) seal(graders []string) error {
	c.sealed = map[string]fs.FileInfo{}
	for _, e := range c.s.entries {
		if !slices.Contains(graders, e.path) {
			continue
		}
		at := []string{e.path}
		for dir := path.Dir(e.path); testDir(dir+"/x") != ""; dir = path.Dir(dir) {
			at = append(at, dir)
		}
		for _, name := range at {
			info, err := c.files.lstat(name)
			if err != nil {
				return err
			}
			c.sealed[name] = info
		}
	}
	return nil
}

// untouched refuses a copy whose graders were touched since they were sealed,
// even if they are as they were again: a shell reads on in a script that is
// rewritten under it. No program can set the time of an inode's change.
func (c *checkout) untouched(what string) error {
	for name, was := range c.sealed {
		now, err := c.files.lstat(name)
		switch {
		case err == nil && os.SameFile(was, now) && tree.ChangeTime(was).Equal(tree.ChangeTime(now)):
			continue
		case was.IsDir():
			return refuse("%s makes, renames or removes files in %.200s, where the tests lie, while they run: use a temporary directory of its own", what, name)
		default:
			return refuse("%s writes to %.200s, by which the program is judged, while it runs: leave it as it is, its mode too", what, name)
		}
	}
	return nil
}
