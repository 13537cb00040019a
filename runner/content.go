package runner

import (
	"context"
	"errors"
	"io/fs"

	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/sandbox"
)

// What git would commit now, with an index of its own: nothing of the
// repository is changed.
const wouldCommitScript = quietGit + `set -e
export GIT_INDEX_FILE="$HOME/would-commit"
rm -rf "$GIT_INDEX_FILE"
[ ! -e .git/index ] || cp .git/index "$GIT_INDEX_FILE"
git add -A . 2>&1
git write-tree
rm -f "$GIT_INDEX_FILE"`

// refuseOtherContent refuses, before the first session, a repository in which
// git holds other content of a file than the file has: by line ends (eol=crlf,
// core.autocrlf), a filter or a submodule. No commit in it could be proven.
func (j *job) refuseOtherContent(ctx context.Context) error {
	if _, err := j.files.lstat(".git"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := j.withBox(ctx, forGit, j.boxSpec(false), func(box *sandbox.Box) error {
		result, err := box.Run(ctx, j.script(wouldCommitScript))
		if err == nil {
			err = refuseFull(result)
		}
		if err != nil {
			return err
		}
		tree := lastLine(result.Output())
		if !result.Success() || !objectID.MatchString(tree) {
			return refuse("%s", "git can't take up the files: "+clipEnds(result.Output(), verifyHead))
		}
		s, err := j.listStaged(ctx, box, tree)
		if err != nil {
			return err
		}
		return j.files.compare(ctx, s.entries)
	})
	v, refused := refusal(feature.Feature{}, err)
	if !refused {
		return err
	}
	return &Error{Outcome: Usage, Reason: "no commit of this project can be proven: " + j.clip(v.output, errorKept),
		Hint: "do .gitattributes (eol, filter) or core.autocrlf change files, or is it a submodule? give it a clone without them"}
}
