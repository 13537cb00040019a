package handover

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
	"github.com/glovebox-run/glovebox/sandbox"
)

// looksLikeRepository says whether git would take a directory for a repository,
// whatever its name: as a bare one when somebody types git in it, or as what a
// .git file or a commondir leads to. Links count, for git follows them.
func looksLikeRepository(dir *os.Root) bool {
	has := func(name string) bool { _, err := dir.Lstat(name); return err == nil }
	return has("objects") && has("refs") || has("HEAD") && has("commondir")
}

// repository makes what git would run in a repository harmless. nested says
// that it lies in another one: a submodule's or a worktree's.
func (l *look) repository(dir *os.Root, at string, nested bool) error {
	if at != ".git" && !nested {
		l.found(Finding{Severity: Look, Kind: "repository", Path: at, Detail: "a repository inside the project: git in it uses its history and settings"})
	}
	for _, name := range []string{"config", "config.worktree"} {
		if err := l.config(dir, at, name); err != nil {
			return err
		}
	}
	if err := l.hooks(dir, at); err != nil {
		return err
	}
	if err := l.commonDir(dir, at); err != nil {
		return err
	}
	l.borrowed(dir, at)
	for _, name := range []string{"rebase-merge", "rebase-apply", "sequencer"} {
		if _, err := dir.Lstat(name); err == nil {
			l.found(Finding{Severity: Enter, Kind: "git-rebase", Path: path.Join(at, name),
				Detail: "an unfinished rebase, which may name commands: look at its todo before git rebase --continue, or git rebase --quit"})
		}
	}
	if data, ok := l.read2(dir, "info", "attributes"); ok {
		f := Finding{Severity: Look, Kind: "gitattributes", Path: path.Join(at, "info/attributes")}
		if namesDriver("\n"+string(data), &f) {
			l.found(f)
		}
	}
	return nil
}

// config rewrites a config that is not harmless.
func (l *look) config(dir *os.Root, at, name string) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	file := path.Join(at, name)
	data, ok := l.read(dir, name)
	settings, parseErr := parseConfig(string(data))
	if err != nil || !ok || parseErr != nil {
		return l.replaceConfig(dir, at, name, nil, minimal(at == "" || path.Base(at) != ".git"),
			[]Finding{{Severity: Enter, Kind: "git-config", Path: file, Detail: "it can't be read as git's config: " + kindOf(info)}})
	}
	stay, gone := pick(settings, at, l.o.Skip)
	var found []Finding
	for _, s := range gone {
		found = append(found, Finding{Severity: Enter, Kind: "git-config", Path: file, Detail: s.name() + " = " + s.value})
	}
	if len(gone) == 0 && !plainConfig(string(data)) && string(data) != formatConfig(settings) {
		found = append(found, Finding{Severity: Enter, Kind: "git-config", Path: file, Detail: "it is written so that programs may read it in different ways"})
	}
	if len(found) == 0 {
		return nil
	}
	return l.replaceConfig(dir, at, name, data, stay, found)
}

// replaceConfig keeps a config aside, writes a harmless one in its place, and
// lists what was wrong with it. data is its content, nil if that is unknown.
func (l *look) replaceConfig(dir *os.Root, at, name string, data []byte, settings []setting, found []Finding) error {
	aside := ""
	if l.keep != nil {
		var err error
		if aside, err = l.keep.move(path.Join(at, name)); err != nil {
			return err
		}
		if err := atomicfile.Write(dir, name, []byte(formatConfig(settings)), 0o644); err != nil {
			return err
		}
		if err := l.keep.own(dir, name); err != nil {
			return err
		}
	}
	for _, f := range found {
		f.Aside = aside
		l.found(f)
	}
	return nil
}

// hooks moves every hook aside that git would run. Samples, as git makes them,
// are never run.
func (l *look) hooks(dir *os.Root, at string) error {
	info, err := dir.Lstat("hooks")
	if err != nil {
		return nil // there are none
	}
	if !info.IsDir() {
		return l.aside(Finding{Severity: Enter, Kind: "git-hook", Path: path.Join(at, "hooks"), Detail: "it is " + kindOf(info) + " that may hold hooks"})
	}
	hooks, err := sandbox.Descend(dir, "hooks")
	if err != nil {
		l.unseen(path.Join(at, "hooks"), cause(err))
		return nil
	}
	defer hooks.Close()
	list, err := hooks.Open(".")
	if err != nil {
		l.unseen(path.Join(at, "hooks"), cause(err))
		return nil
	}
	defer list.Close()
	names, err := list.Readdirnames(hooksMax + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		l.unseen(path.Join(at, "hooks"), cause(err))
	}
	if len(names) > hooksMax {
		return l.aside(Finding{Severity: Enter, Kind: "git-hook", Path: path.Join(at, "hooks"), Detail: "there are too many entries for hooks"})
	}
	for _, name := range names {
		if err := l.hook(hooks, path.Join(at, "hooks", name), name); err != nil {
			return err
		}
	}
	return nil
}

// hooksMax is how many entries a directory of hooks has at most; git knows some 30.
const hooksMax = 200

func (l *look) hook(hooks *os.Root, at, name string) error {
	if strings.HasSuffix(name, ".sample") {
		return nil
	}
	f := Finding{Severity: Enter, Kind: "git-hook", Path: at, Detail: "git runs it"}
	if data, ok := l.read(hooks, name); ok && l.o.Own != nil && l.o.Own(at, data) {
		f.Severity, f.Detail = Look, "yours, unchanged since before the job; what it calls may have changed"
		l.found(f)
		return nil
	}
	return l.aside(f)
}

// aside moves what a finding is about out of the way, if that is wanted.
func (l *look) aside(f Finding) (err error) {
	if l.keep != nil {
		if f.Aside, err = l.keep.move(f.Path); err != nil {
			return err
		}
	}
	l.found(f)
	return nil
}

// commonDir takes a commondir away that leads elsewhere than that of a worktree
// of the repository it lies in: config and hooks would come from there.
func (l *look) commonDir(dir *os.Root, at string) error {
	info, err := dir.Lstat("commondir")
	if err != nil {
		return nil
	}
	data, ok := l.read(dir, "commondir")
	if ok && strings.TrimRight(string(data), "\n") == "../.." && path.Base(path.Dir(at)) == "worktrees" && info.Mode().IsRegular() {
		return nil
	}
	return l.aside(Finding{Severity: Enter, Kind: "git-elsewhere", Path: path.Join(at, "commondir"),
		Detail: "git takes config and hooks from " + strings.TrimSpace(string(data))})
}

// borrowed lists objects that a repository takes from elsewhere.
func (l *look) borrowed(dir *os.Root, at string) {
	objects, err := sandbox.Descend(dir, "objects")
	if err != nil {
		return
	}
	defer objects.Close()
	if data, ok := l.read2(objects, "info", "alternates"); ok {
		l.found(Finding{Severity: Look, Kind: "git-elsewhere", Path: path.Join(at, "objects/info/alternates"),
			Detail: "git takes objects from " + strings.TrimSpace(string(data))})
	}
}

// read2 is read of a file in a directory of dir.
func (l *look) read2(dir *os.Root, name, file string) ([]byte, bool) {
	below, err := sandbox.Descend(dir, name)
	if err != nil {
		return nil, false
	}
	defer below.Close()
	return l.read(below, file)
}

// pointer looks at a .git that is no directory: a file or a link that says
// where the repository is. One that leads to a repository in the project is
// looked at there; any other is moved aside.
func (l *look) pointer(e entry) error {
	to := e.path
	if e.info.Mode()&fs.ModeSymlink == 0 {
		data, ok := l.read(e.dir, e.name)
		target, isPointer := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), "gitdir: ")
		if !ok || !isPointer || path.IsAbs(target) {
			return l.aside(Finding{Severity: Enter, Kind: "git-elsewhere", Path: e.path, Detail: "git takes the repository from " + string(data)})
		}
		to = path.Dir(e.path) + "/" + target
	}
	if at, where := l.resolve(to); where == inside && at != "" && l.isRepository(at) {
		return nil
	}
	return l.aside(Finding{Severity: Enter, Kind: "git-elsewhere", Path: e.path, Detail: "it leads to no repository in the project"})
}

// isRepository says whether git takes the directory at, which no link leads
// to, for a repository; it is looked at where the walk meets it.
func (l *look) isRepository(at string) bool {
	info, err := l.top.Lstat(at)
	if err != nil || !info.IsDir() {
		return false
	}
	dir, err := l.top.OpenRoot(at)
	if err != nil {
		return false
	}
	defer dir.Close()
	return looksLikeRepository(dir)
}

func kindOf(info fs.FileInfo) string {
	switch {
	case info == nil:
		return "something that can't be looked at"
	case info.Mode().IsRegular():
		return "a file"
	case info.IsDir():
		return "a directory"
	case info.Mode()&fs.ModeSymlink != 0:
		return "a link"
	default:
		return "a pipe, socket or device"
	}
}
