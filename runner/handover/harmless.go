package handover

import (
	"path"
	"regexp"
	"strings"
)

// A value that is allowed, by what it is.
var (
	word    = regexp.MustCompile(`^[A-Za-z0-9_.+-]{0,100}$`)
	text    = regexp.MustCompile(`^[^\x00-\x1f\x7f]{0,200}$`)
	refs    = regexp.MustCompile(`^[A-Za-z0-9_./+*:^@-]{0,300}$`)
	address = regexp.MustCompile(`^(?:(?:https?|ssh|git|file)://[^-\s\x00-\x1f][^\s\x00-\x1f]*|[A-Za-z0-9_./~][^:\s\x00-\x1f]*(?::[^:\s\x00-\x1f][^\s\x00-\x1f]*)?)$`)
)

// harmless are the settings that a repository of ours may have, as
// section.key (whatever the subsection), each with what its value must be.
// None names a program, a further file or a place that git would run.
var harmless = map[string]*regexp.Regexp{
	"core.repositoryformatversion": word, "core.filemode": word, "core.bare": word, "core.logallrefupdates": word,
	"core.ignorecase": word, "core.precomposeunicode": word, "core.symlinks": word, "core.autocrlf": word, "core.eol": word,
	"core.safecrlf": word, "core.quotepath": word, "core.abbrev": word, "core.sharedrepository": word,
	"core.protecthfs": onlyTrue, "core.protectntfs": onlyTrue,
	"core.sparsecheckout": word, "core.sparsecheckoutcone": word, "core.commitgraph": word, "core.untrackedcache": word,
	"extensions.objectformat": word, "extensions.refstorage": word, "extensions.worktreeconfig": word,
	"extensions.partialclone": word, "extensions.compatobjectformat": word, "extensions.preciousobjects": word,
	"init.defaultbranch": refs, "index.version": word,
	"remote.url": address, "remote.pushurl": address, "remote.fetch": refs, "remote.push": refs, "remote.tagopt": text, "remote.prune": word,
	"remote.promisor": word, "remote.partialclonefilter": refs,
	"branch.remote": address, "branch.pushremote": address, "branch.merge": refs, "branch.rebase": word, "branch.description": text,
	"submodule.url": address, "submodule.active": word, "submodule.branch": refs,
	"user.name": text, "user.email": text,
	"pull.rebase": word, "pull.ff": word, "push.default": word, "push.autosetupremote": word, "push.followtags": word, "fetch.prune": word,
	"merge.ff": word, "merge.conflictstyle": word, "diff.algorithm": word, "diff.renames": word, "rebase.autosquash": word, "rebase.autostash": word,
	"rerere.enabled": word, "commit.verbose": word, "status.showuntrackedfiles": word, "gc.auto": word,
	"lfs.repositoryformatversion": word, "lfs.access": word,
}

var onlyTrue = regexp.MustCompile(`^true$`)

// lfs is what git-lfs writes: the programs are the person's own.
var lfs = map[string]string{
	"filter.lfs.clean": "git-lfs clean -- %f", "filter.lfs.smudge": "git-lfs smudge -- %f", "filter.lfs.process": "git-lfs filter-process",
	"filter.lfs.required": "true",
}

// allowed says that a setting of the repository in the directory gitDir does no harm.
func allowed(s setting, gitDir, skip string) bool {
	if want, ok := lfs[s.name()]; ok {
		return s.value == want
	}
	if s.section == "core" && s.key == "worktree" && s.sub == "" { // submodules have it
		tree := path.Join(gitDir, s.value)
		return !path.IsAbs(s.value) && tree != ".." && !strings.HasPrefix(tree, "../") && tree != skip && !strings.HasPrefix(tree, skip+"/")
	}
	form, ok := harmless[s.section+"."+s.key]
	return ok && form.MatchString(s.value) && text.MatchString(s.sub) && !strings.Contains(s.value, "::")
}

// pick divides settings into those that may stay and the others.
func pick(settings []setting, gitDir, skip string) (stay, gone []setting) {
	for _, s := range settings {
		if allowed(s, gitDir, skip) {
			stay = append(stay, s)
		} else {
			gone = append(gone, s)
		}
	}
	return stay, gone
}

// minimal is the config of a repository of which nothing else is known.
func minimal(bare bool) []setting {
	value := "false"
	if bare {
		value = "true"
	}
	return []setting{
		{section: "core", key: "repositoryformatversion", value: "0"},
		{section: "core", key: "filemode", value: "true"},
		{section: "core", key: "bare", value: value},
	}
}
