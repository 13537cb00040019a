package images

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
)

// ProbeScript is a script for any POSIX shell that prints what an image holds,
// for [ParseInventory]. It needs no network, writes nothing, and takes less
// than a second in our images; run it in a box with an empty workspace, once
// per image id.
//
//go:embed probe.sh
var ProbeScript string

// Sizes of what a prompt has room for (the first request is to stay below 5 KB).
const (
	installedBytes = 200
	missingBytes   = 100
)

// Inventory is what an image holds, as far as a model should know.
type Inventory struct {
	// Installed are programs with their versions, "python3 3.11.2".
	Installed []string `json:"installed"`
	// Packages are Python packages that are installed beside python3.
	Packages []string `json:"packages,omitempty"`
	// Missing are programs that one would expect and that are not there.
	Missing []string `json:"missing"`
	// Git and Bash are what the runner itself would like to use.
	Git  bool `json:"git"`
	Bash bool `json:"bash"`
}

// tools are the keys that the script may print, in the order of a prompt:
// what decides about the language of a project comes first.
func tools() []string {
	return []string{
		"python3", "pytest", "node", "npm", "go", "gcc", "git", "rg", "jq", "make",
		"curl", "sqlite3", "chromium", "bash",
	}
}

// ParseInventory reads what ProbeScript printed. The output is hostile: only
// known keys count, the first line of each, and of a value only what looks
// like a version. What the script said nothing about is neither installed nor missing.
func ParseInventory(out []byte) Inventory {
	values := map[string]string{}
	var inv Inventory
	for line := range strings.Lines(string(out[:min(len(out), 64<<10)])) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		if !ok {
			continue
		}
		if key == "pip" {
			inv.addPackage(value)
		} else if _, dup := values[key]; !dup && slices.Contains(tools(), key) {
			values[key] = value
		}
	}
	for _, tool := range tools() {
		inv.addTool(tool, values[tool])
	}
	return inv
}

// addTool takes a value as the script prints it: "-" or ":what it said".
func (inv *Inventory) addTool(tool, value string) {
	said, there := strings.CutPrefix(value, ":")
	name := tool
	if tool == "sqlite3" {
		name = "sqlite3 command" // Python's module of that name needs no program
	}
	switch {
	case value == "-":
		inv.Missing = append(inv.Missing, name)
	case there:
		inv.Installed = append(inv.Installed, strings.TrimSpace(name+" "+version(said)))
		inv.Git = inv.Git || tool == "git"
		inv.Bash = inv.Bash || tool == "bash"
	}
}

// version is the first number with dots in it, or the first number, or "".
func version(said string) string {
	for _, pattern := range []string{`[0-9]{1,4}(\.[0-9]{1,5}){1,3}`, `[0-9]{1,8}`} {
		if v := regexp.MustCompile(pattern).FindString(said); v != "" {
			return v
		}
	}
	return ""
}

// addPackage takes ":name", where name may be that of a Python package.
func (inv *Inventory) addPackage(value string) {
	name, _ := strings.CutPrefix(value, ":")
	known := slices.Contains(inv.Packages, name) || name == "pytest"
	if known || len(inv.Packages) >= 200 || !regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9])?$`).MatchString(name) {
		return
	}
	inv.Packages = append(inv.Packages, name)
}

// InstalledLine is what is there, at most 200 bytes, for a prompt.
func (inv Inventory) InstalledLine() string {
	if len(inv.Installed) == 0 {
		return "nothing known but a shell"
	}
	line := join(inv.Installed, installedBytes)
	const intro = "; Python packages: "
	room := installedBytes - len(line) - len(intro)
	if len(inv.Packages) == 0 || room < 20 {
		return line
	}
	return line + intro + join(inv.Packages, room)
}

// MissingLine is what is not there, at most 100 bytes, for a prompt.
func (inv Inventory) MissingLine() string {
	if len(inv.Missing) == 0 {
		return "nothing of the usual"
	}
	return join(inv.Missing, missingBytes)
}

// join joins items with commas into at most limit bytes; an ellipsis stands
// for those that don't fit.
func join(items []string, limit int) string {
	const more = ", ..."
	line := ""
	for i, item := range items {
		next := item
		if line != "" {
			next = line + ", " + item
		}
		left := 0
		if i < len(items)-1 {
			left = len(more)
		}
		if len(next)+left > limit {
			return strings.TrimPrefix(line+more, ", ")
		}
		line = next
	}
	return line
}
