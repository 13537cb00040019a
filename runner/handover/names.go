package handover

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// names finds names that are made to confuse a terminal, a person or a file
// system, and programs that stand in for a common command.
func (l *look) names(e entry) {
	if why := confusing(e.name); why != "" {
		l.found(Finding{Severity: Look, Kind: "name", Path: e.path, Detail: why})
	}
	if e.name != ".git" && isGitElsewhere(e.name) {
		l.found(Finding{Severity: Enter, Kind: "name", Path: e.path,
			Detail: "where case or hidden characters do not count, git takes it for its own .git"})
	}
	if e.program() && isCommand(e.name) {
		l.command(e)
	}
}

// confusing says what a name does to whoever prints or types it; "" is nothing.
func confusing(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "the name is no valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "the name has control characters, which a terminal may obey"
	case strings.ContainsFunc(name, isBidi):
		return "the name has marks that reorder what is shown"
	case strings.ContainsFunc(name, isHidden):
		return "the name has characters that are not shown"
	case strings.HasPrefix(name, "-"):
		return "a command takes the name for an option"
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with a blank"
	default:
		return ""
	}
}

func isBidi(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

func isHidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// isGitElsewhere says that a file system may take a name for .git: one that
// ignores case, macOS's, which ignores hidden characters, or Windows' with its
// short names and trailing dots.
func isGitElsewhere(name string) bool {
	name = strings.Map(func(r rune) rune {
		if isHidden(r) || isBidi(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	name = strings.TrimRight(name, ". ")
	return name == ".git" || name == "git~1"
}

// command is a finding for a file that is named like a common command.
func (l *look) command(e entry) {
	f := Finding{Severity: Build, Kind: "command", Path: e.path,
		Detail: "it runs instead of " + e.name + " where its directory is on the PATH, as install and test scripts have it"}
	if !strings.Contains(e.path, "/") {
		f.Severity = Enter
		f.Detail = "it runs instead of " + e.name + " where the PATH has the current directory, as on Windows"
	}
	l.found(f)
}

// isCommand says whether a name is one that people and scripts type, with or
// without an ending of Windows.
func isCommand(name string) bool {
	name = strings.ToLower(name)
	for _, ending := range []string{".exe", ".bat", ".cmd", ".com", ".ps1"} {
		name = strings.TrimSuffix(name, ending)
	}
	return commands[name]
}

var commands = wordSet(`
ls cd cat cp mv rm mkdir rmdir touch chmod chown ln find grep sed awk sort head tail less more man which env
echo printf pwd id who whoami ps kill top df du mount tar gzip gunzip unzip zip diff patch xargs tee date sleep
sh bash zsh fish dash ksh pwsh powershell cmd sudo su doas ssh scp sftp rsync curl wget git gh hg svn
python python2 python3 pip pip3 pipx uv poetry pytest tox node npm npx yarn pnpm bun deno tsc
go gofmt cargo rustc rustup gcc g++ cc c++ clang ld ar cmake ninja java javac mvn gradle ruby gem bundle rake
perl php composer dotnet docker podman docker-compose kubectl terraform ansible vi vim nvim nano emacs code open xdg-open
apt apt-get dnf yum brew apk pacman systemctl service openssl gpg base64 sqlite3 psql mysql`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}
