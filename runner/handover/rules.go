package handover

import (
	"fmt"
	"path"
	"strings"
)

// rule is a kind of file that a program obeys without being told to.
type rule struct {
	kind     string
	severity Severity
	detail   string
	// names are patterns of path.Match, of lower case, for as many last elements
	// of a path as they have.
	names []string
	// inspect says more, or that this one is harmless. nil takes every file of
	// the name. What can't be read counts as the rule says.
	inspect inspector
}

// rules are all of them. docs/handover.md lists the kinds.
var rules = []rule{
	{kind: "shell", severity: Enter, detail: "direnv and its like run it when a shell enters the directory",
		names: []string{".envrc", ".autoenv", ".autoenv.zsh", ".env.zsh", "mise.toml", ".mise.toml", "mise.local.toml", ".mise.local.toml", ".mise/config.toml",
			".config/mise.toml", ".config/mise/config.toml", ".config/mise/conf.d/*.toml"}},
	{kind: "editor", severity: Enter, detail: "an editor may run it when a file here is opened",
		names: []string{".exrc", ".vimrc", ".nvimrc", ".nvim.lua", ".lvimrc", ".lnvim.lua", ".dir-locals.el", ".dir-locals-2.el", ".gdbinit", ".lldbinit",
			".local.vimrc", ".ycm_extra_conf.py", ".helix/config.toml", ".helix/languages.toml"}},
	{kind: "shell", severity: Enter, detail: "an interpreter that is started here runs it", names: []string{".rprofile", ".renviron", ".irbrc", ".pryrc", ".pdbrc", ".pdbrc.py"}},
	{kind: "linter", severity: Enter, detail: "an editor's linter or formatter runs it when a file here is opened",
		names: []string{"eslint.config.*", ".eslintrc.js", ".eslintrc.cjs", "prettier.config.*", ".prettierrc.js", ".prettierrc.cjs", ".prettierrc.mjs", "stylelint.config.*"}},
	{kind: "vscode-task", severity: Build, detail: "tasks that VS Code offers", names: []string{".vscode/tasks.json"}, inspect: folderOpen},
	{kind: "vscode-settings", severity: Look, detail: "settings of VS Code", names: []string{".vscode/settings.json"}, inspect: namesPrograms},
	{kind: "vscode-settings", severity: Look, detail: "a workspace of VS Code", names: []string{"*.code-workspace"}, inspect: workspace},
	{kind: "vscode-launch", severity: Build, detail: "what VS Code runs to debug", names: []string{".vscode/launch.json"}},
	{kind: "vscode-extensions", severity: Look, detail: "extensions that VS Code recommends", names: []string{".vscode/extensions.json"}},
	{kind: "assistant", severity: Enter, detail: "an assistant in the editor starts the programs that it names",
		names: []string{".vscode/mcp.json", ".mcp.json", ".cursor/mcp.json", ".cursor/hooks.json", ".claude/settings.json", ".claude/settings.local.json", ".gemini/settings.json", ".codex/config.toml", "opencode.json", "opencode.jsonc"}},
	{kind: "assistant", severity: Look, detail: "an assistant does what it says",
		names: []string{"agents.md", "claude.md", "gemini.md", ".cursorrules", ".windsurfrules", ".cursor/rules/*", ".github/copilot-instructions.md"}},
	{kind: "idea", severity: Enter, detail: "file watchers: the IDE runs them when a file is saved", names: []string{".idea/watchertasks.xml"}},
	{kind: "idea", severity: Enter, detail: "tasks that the IDE runs when the project is opened", names: []string{".idea/startup.xml"}},
	{kind: "idea", severity: Build, detail: "what the IDE runs or debugs", names: []string{".idea/runconfigurations/*", ".run/*.xml"}},
	{kind: "idea", severity: Look, detail: "settings of the IDE", names: []string{".idea"}},
	{kind: "idea", severity: Build, detail: "the IDE's workspace, with what it runs", names: []string{".idea/workspace.xml"}, inspect: startupTask},
	{kind: "editor-task", severity: Build, detail: "tasks that the editor offers", names: []string{".zed/tasks.json", ".zed/settings.json", ".fleet/run.json", "*.sublime-project"}},
	{kind: "devcontainer", severity: Build, detail: "an editor builds and starts this container",
		names: []string{".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json", ".devcontainer.json"}, inspect: initializeCommand},
	{kind: "devcontainer", severity: Build, detail: "a machine that opens the project runs it", names: []string{".gitpod.yml", "devfile.yaml", "devfile.yml"}},
	{kind: "hg", severity: Enter, detail: "hg runs the hooks and extensions that it names", names: []string{".hg/hgrc", ".jj/repo/config.toml"}},

	{kind: "npm", severity: Build, detail: "it can't be read as JSON", names: []string{"package.json"}, inspect: installScripts},
	{kind: "npm", severity: Build, detail: "npm install compiles what it describes", names: []string{"binding.gyp"}},
	{kind: "npm-config", severity: Build, detail: "npm, yarn, pnpm or bun obey it: registry, shell, plugins",
		names: []string{".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpm-workspace.yaml", "bunfig.toml"}},
	{kind: "python", severity: Build, detail: "pip install runs it", names: []string{"setup.py"}},
	{kind: "python", severity: Build, detail: "pip install runs the build backend that it names", names: []string{"pyproject.toml"}, inspect: buildBackend},
	{kind: "python", severity: Build, detail: "pip install reads it; it may name commands", names: []string{"setup.cfg"}, inspect: contains("cmdclass")},
	{kind: "python", severity: Build, detail: "pytest runs it before any test", names: []string{"conftest.py"}},
	{kind: "python", severity: Build, detail: "every python that finds it on its path runs it", names: []string{"sitecustomize.py", "usercustomize.py", "*.pth"}},
	{kind: "cargo", severity: Build, detail: "cargo build runs it", names: []string{"build.rs"}},
	{kind: "cargo", severity: Build, detail: "cargo obeys it: linkers, wrappers, runners, aliases", names: []string{".cargo/config", ".cargo/config.toml"}},
	{kind: "cargo", severity: Build, detail: "cargo build runs code of it", names: []string{"cargo.toml"}, inspect: contains("proc-macro", "build =", "build=")},
	{kind: "cargo", severity: Look, detail: "it names the toolchain that cargo fetches or runs", names: []string{"rust-toolchain", "rust-toolchain.toml"}},
	{kind: "go", severity: Look, detail: "go fetches and runs the toolchain that it names", names: []string{"go.mod", "go.work"}, inspect: contains("\ntoolchain ")},
	{kind: "go", severity: Build, detail: "go generate runs what it names", names: []string{"*.go"}, inspect: contains("\n//go:generate ")},
	{kind: "ruby", severity: Build, detail: "bundle and gem run it", names: []string{"gemfile", "*.gemspec", "extconf.rb", "rakefile"}},
	{kind: "php", severity: Build, detail: "composer install runs the scripts and plugins that it names", names: []string{"composer.json"}, inspect: contains(`"scripts"`, `"allow-plugins"`)},
	{kind: "jvm", severity: Build, detail: "the build runs it",
		names: []string{"build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradlew", "mvnw", ".mvn/extensions.xml", ".mvn/jvm.config", "gradle-wrapper.jar", "maven-wrapper.jar", "build.sbt"}},
	{kind: "make", severity: Build, detail: "make runs it", names: []string{"makefile", "gnumakefile"}, inspect: makeDefault},
	{kind: "make", severity: Build, detail: "a build runs it",
		names: []string{"cmakelists.txt", "meson.build", "justfile", "taskfile.yml", "magefile.go", "build.zig", "build.ninja", "sconstruct", "wscript", "configure", "workspace", "module.bazel", ".bazelrc", "flake.nix", "shell.nix", "default.nix"}},
	{kind: "container", severity: Build, detail: "docker build, compose or vagrant run it",
		names: []string{"dockerfile", "containerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml", "vagrantfile"}},
	{kind: "hook-manager", severity: Build, detail: "its tool installs git hooks from it",
		names: []string{".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", ".husky/*", ".huskyrc", ".lintstagedrc"}},
	{kind: "ci", severity: Build, detail: "it runs on the host of the repository when you push, with the secrets of that place",
		names: []string{".github/workflows/*", ".github/actions/*/*", ".gitlab-ci.yml", ".circleci/config.yml", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", ".drone.yml", ".woodpecker.yml", ".woodpecker/*", "bitbucket-pipelines.yml", "appveyor.yml", ".appveyor.yml", ".buildkite/*", ".cirrus.yml", ".forgejo/workflows/*", ".gitea/workflows/*", ".builds/*"}},

	{kind: "gitattributes", severity: Look, detail: "it names programs that your own git config may define", names: []string{".gitattributes"}, inspect: namesDriver},
	{kind: "submodule", severity: Look, detail: "git fetches the repositories that it names when asked for submodules", names: []string{".gitmodules"}},
}

// rules finds the files that programs obey.
func (l *look) rules(e entry) {
	elements := strings.Split(strings.ToLower(e.path), "/")
	for _, r := range rules {
		for _, name := range r.names {
			if matches(name, elements) {
				l.rule(r, e)
			}
		}
	}
}

func matches(name string, elements []string) bool {
	n := strings.Count(name, "/") + 1
	if n > len(elements) {
		return false
	}
	ok, err := path.Match(name, strings.Join(elements[len(elements)-n:], "/"))
	return err == nil && ok
}

// rule lists a file that a rule is about, unless it turns out to be harmless.
func (l *look) rule(r rule, e entry) {
	if e.info.IsDir() != (r.kind == "idea" && r.names[0] == ".idea") {
		return
	}
	f := Finding{Severity: r.severity, Kind: r.kind, Path: e.path, Detail: r.detail}
	if r.inspect != nil {
		if l.readLeft -= e.info.Size(); l.readLeft < 0 {
			l.tooMuch(e.path)
			return
		}
		data, ok := l.read(e.dir, e.name)
		if !ok {
			f.Detail += " (it can't be read as a plain file of at most 1 MB)"
			l.found(f)
			return
		}
		if !r.inspect(string(data), &f) {
			return
		}
	}
	l.found(f)
}

// tooMuch says once that no more files are read. Files of a project that large
// are not all findings for that.
func (l *look) tooMuch(path string) {
	if !l.full {
		l.full = true
		l.unseen(path, fmt.Sprintf("files of more than %d MB were read; the content of this one and others was not looked at", readMax>>20))
	}
}
