package handover

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// inspector looks at the content of a file and may say more in the finding, or
// that there is none. It only searches: what a program makes of the file can't
// be known without being that program, so a doubt is a finding.
type inspector func(text string, f *Finding) bool

// contains takes files that have one of some texts. A line may be the first.
func contains(texts ...string) inspector {
	return func(text string, _ *Finding) bool {
		text = "\n" + strings.ReplaceAll(text, "\r\n", "\n")
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(text, t) })
	}
}

var escaped = regexp.MustCompile(`\\u[0-9a-fA-F]{4}`)

// unescape undoes JSON's \uXXXX, so that a word can't be hidden by it.
func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 16, 16)
		if err != nil {
			return s
		}
		return string(rune(n))
	})
}

func folderOpen(text string, f *Finding) bool {
	if strings.Contains(strings.ToLower(unescape(text)), "folderopen") {
		f.Severity, f.Detail = Enter, "VS Code runs a task of it when the folder is opened"
	}
	return true
}

// programSetting are settings whose names say that their values name programs.
var programSetting = regexp.MustCompile(`(?i)"([a-z0-9_.-]*(?:path|executable|command|shell|interpreter|server|binary|program|profiles|env\.|args|runtime|typescript\.tsdk)[a-z0-9_.-]*)"\s*:`)

func namesPrograms(text string, f *Finding) bool {
	if m := programSetting.FindStringSubmatch(unescape(text)); m != nil {
		f.Severity, f.Detail = Enter, "VS Code may run what the setting "+m[1]+" names"
	}
	return true
}

func workspace(text string, f *Finding) bool {
	return namesPrograms(text, f) && (!strings.Contains(strings.ToLower(unescape(text)), "folderopen") || folderOpen(text, f))
}

func startupTask(text string, f *Finding) bool {
	if strings.Contains(text, "Startup") {
		f.Severity, f.Detail = Enter, "the IDE runs tasks of it when the project is opened"
	}
	return strings.Contains(text, "RunManager") || f.Severity == Enter
}

func initializeCommand(text string, f *Finding) bool {
	if strings.Contains(unescape(text), "initializeCommand") {
		f.Severity, f.Detail = Enter, "initializeCommand runs on the machine itself when an editor opens the container"
	}
	return true
}

// lifecycle are the scripts of a package.json that an install, a pack or a
// publish runs unasked.
var lifecycle = []string{"preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare",
	"prepublish", "prepublishOnly", "prepack", "postpack", "dependencies"}

func installScripts(text string, f *Finding) bool {
	var p struct {
		Scripts map[string]any `json:"scripts"`
	}
	if json.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &p) != nil {
		return true // the rule says so
	}
	var found []string
	for _, name := range lifecycle {
		if command, ok := p.Scripts[name].(string); ok {
			found = append(found, name+": "+command)
		}
	}
	f.Detail = "npm install runs " + strings.Join(found, "; ")
	return len(found) > 0
}

func buildBackend(text string, f *Finding) bool {
	for _, word := range []string{"backend-path", "cmdclass", "build.hooks", "[tool.poetry.build]", "tool.pdm.build"} {
		if strings.Contains(text, word) {
			f.Detail = "pip install runs code of this project (" + word + ")"
		}
	}
	return true
}

var target = regexp.MustCompile(`(?m)^([A-Za-z0-9_./-]+)\s*:(?:[^=]|$)`)

// makeDefault says what make does without being told a target.
func makeDefault(text string, f *Finding) bool {
	for _, m := range target.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], ".") {
			f.Detail = "make without a target runs " + m[1]
			break
		}
	}
	if strings.Contains(text, "$(shell") || strings.Contains(text, "!=") {
		f.Detail += "; reading it runs commands already, also make -n"
	}
	return true
}

var driver = regexp.MustCompile(`(?m)\s((?:filter|diff|merge)=\S+)`)

func namesDriver(text string, f *Finding) bool {
	var found []string
	for _, m := range driver.FindAllStringSubmatch(text, 20) {
		if !slices.Contains(found, m[1]) {
			found = append(found, m[1])
		}
	}
	f.Detail = "it names " + strings.Join(found, ", ") + ", which your own git config may define"
	return len(found) > 0
}
