package runner

import (
	"fmt"
	"io/fs"
	"os"
)

// ownerRights are what a directory must let its owner do to be worked in.
const ownerRights fs.FileMode = 0o700

// openUp lets boxes and the host into the project and $HOME again: they belong
// to the boxes' user, so one command can close them to all that come after it.
func (j *job) openUp() error {
	if j.volumes != nil {
		return nil
	}
	// The name of the project lies outside of it, where no box can put a link.
	if err := letOwnerIn(j.o.Dir, os.Lstat, os.Chmod); err != nil {
		return err
	}
	return letOwnerIn(homeDir, j.state.root.Lstat, j.state.root.Chmod)
}

// letOwnerIn gives the owner of the directory name the rights that are missing.
func letOwnerIn(name string, look func(string) (fs.FileInfo, error), chmod func(string, fs.FileMode) error) error {
	info, err := look(name)
	if err != nil {
		return err
	}
	mode := info.Mode()
	if !mode.IsDir() || mode&ownerRights == ownerRights {
		return nil
	}
	if err := chmod(name, mode&^fs.ModeType|ownerRights); err != nil {
		return &Error{Outcome: FailedRun, Reason: fmt.Sprintf("the directory %s is closed to its owner", name), Err: err,
			Hint: "chmod u+rwx it; the same command goes on"}
	}
	return nil
}
