package tool

import (
	"path"
	"strings"
	"unicode"

	"github.com/glovebox-run/glovebox/sandbox"
)

// The file in $HOME that tells git in a box to leave the job's state alone.
// It can't lie in the workspace, where it would become part of the project;
// the host writes it into the job's home.
const (
	GitExclude     = ".gitexclude"
	GitExcludeText = "/.glovebox/\n"
)

// debianPath is the PATH of Debian's login.defs, for an image without a sane one.
const debianPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environment is the environment of every command in a box, as K=V. path is
// the PATH of the image, the only thing taken from it; if it is no sane one,
// Debian's is taken. Nothing comes from the host.
//
// It says that nobody is there to answer, gives git an identity and no pager,
// and makes what needs a network fail in a second: without it npm tries for
// 73 s and pip for 12 (measured), and a weak model tries each of them.
func Environment(path string) []string {
	env := []string{
		"HOME=" + sandbox.Home,
		"PATH=" + sanePath(path),
		"LANG=C.UTF-8",
		"USER=glovebox",

		"CI=1", "TERM=dumb", "NO_COLOR=1", "PAGER=cat", "DEBIAN_FRONTEND=noninteractive",
		"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1",

		"GIT_PAGER=cat", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Glovebox", "GIT_AUTHOR_EMAIL=glovebox@localhost",
		"GIT_COMMITTER_NAME=Glovebox", "GIT_COMMITTER_EMAIL=glovebox@localhost",
		"GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=init.defaultBranch", "GIT_CONFIG_VALUE_1=main",
		"GIT_CONFIG_KEY_2=core.excludesFile", "GIT_CONFIG_VALUE_2=" + sandbox.Home + "/" + GitExclude,
	}
	return append(env, offline()...)
}

// offline makes package managers give up at once.
func offline() []string {
	return []string{
		"PIP_RETRIES=0", "PIP_DEFAULT_TIMEOUT=3", "UV_OFFLINE=1",
		"npm_config_fetch_retries=0", "npm_config_audit=false", "npm_config_fund=false", "npm_config_update_notifier=false",
		"GOPROXY=off", "GOTOOLCHAIN=local", "CARGO_NET_OFFLINE=true",
	}
}

// sanePath is p if it is a list of absolute directories, as an honest image has.
func sanePath(p string) string {
	if p == "" || len(p) > 4096 || strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return debianPath
	}
	for dir := range strings.SplitSeq(p, ":") {
		if !path.IsAbs(dir) {
			return debianPath
		}
	}
	return p
}
