package handover

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Severity says what a person must do before something runs.
type Severity string

// The severities, the worst first.
const (
	Enter Severity = "enter" // nothing: they enter the directory, open it in an editor or type git
	Build Severity = "build" // install, build, test or push
	Look  Severity = "look"  // something more, or it only misleads: look at it
)

// Severities are all of them, the worst first.
func Severities() []Severity { return []Severity{Enter, Build, Look} }

// Finding is something that would run by itself, or that misleads. Path and
// Detail come from the tree: they are as hostile as it.
type Finding struct {
	Severity Severity `json:"severity"`
	Kind     string   `json:"kind"`             // a word of docs/handover.md
	Path     string   `json:"path"`             // below the project, with "/" between
	Detail   string   `json:"detail,omitempty"` // what runs, or where it leads
	// Aside is where the original is kept, below the project, if it was made
	// harmless. "" is a finding that is left to the person.
	Aside string `json:"aside,omitempty"`
}

// Report is what was found, the worst first and what is left before what was mended.
type Report struct {
	Findings []Finding        `json:"findings"`
	More     map[string]int   `json:"more,omitempty"` // kind: findings beyond kindMax, which are only counted
	Left     map[Severity]int `json:"left"`           // how many are left to the person, More included
	Mended   int              `json:"mended"`         // how many were made harmless, More included
	Entries  int              `json:"entries"`        // looked at
}

// Options say what to do with what is found.
type Options struct {
	// Skip is the name of a directory at the top that is no part of the project.
	// A link that leads into it is a finding.
	Skip string
	// Aside is a directory below Skip, made if need be, in which originals are
	// kept. "" changes nothing and only looks.
	Aside string
	// Own says that a git hook is a person's own, unchanged since before the
	// job: it is listed and stays. nil is never.
	Own func(path string, content []byte) bool
}

// Bounds of one look at a tree that may be made to be large.
const (
	entriesMax = 500_000   // entries
	depthMax   = 200       // directories below another
	fileMax    = 1 << 20   // bytes of a file that is read
	readMax    = 256 << 20 // bytes of all files that rules read
	kindMax    = 50        // findings of a kind; more are counted
	detailMax  = 300       // bytes of a detail
)

// Check looks at the project below root. No box may run. An error is one of
// ours: the context ended, or an original could not be kept aside.
func Check(ctx context.Context, root *os.Root, o Options) (Report, error) {
	l := &look{ctx: ctx, top: root, o: o, readLeft: readMax,
		report: Report{More: map[string]int{}, Left: map[Severity]int{}}, listed: map[string]int{}}
	if o.Aside != "" {
		l.keep = &keeper{root: root, dir: o.Aside}
	}
	if err := l.directory(root, "", 0, false); err != nil {
		return Report{}, err
	}
	slices.SortFunc(l.report.Findings, func(a, b Finding) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Detail, b.Detail))
	})
	return l.report, nil
}

// rank orders findings: what is left before what was mended, then by severity.
func rank(f Finding) int {
	r := slices.Index(Severities(), f.Severity)
	if f.Aside != "" {
		r += len(Severities())
	}
	return r
}

// look is one look at a tree.
type look struct {
	ctx      context.Context
	top      *os.Root
	o        Options
	keep     *keeper // nil: only look
	report   Report
	listed   map[string]int // findings by kind and whether mended
	readLeft int64          // bytes
	full     bool           // and none are left
}

// found adds a finding.
func (l *look) found(f Finding) {
	f.Path, f.Detail = clip(f.Path), clip(f.Detail)
	if f.Aside == "" {
		l.report.Left[f.Severity]++
	} else {
		l.report.Mended++
	}
	key := fmt.Sprint(f.Kind, f.Severity, f.Aside != "")
	if l.listed[key]++; l.listed[key] > kindMax {
		l.report.More[f.Kind]++
		return
	}
	l.report.Findings = append(l.report.Findings, f)
}

// unseen is a finding for what could not be looked at: it may hold anything.
func (l *look) unseen(path, why string) {
	l.found(Finding{Severity: Enter, Kind: "unseen", Path: path, Detail: why})
}

func clip(s string) string {
	if len(s) <= detailMax {
		return s
	}
	return s[:detailMax] + "…"
}

// entry is what lies at a path: name in the open directory dir.
type entry struct {
	dir  *os.Root
	name string
	path string
	info fs.FileInfo
}

// program says whether a plain file may be run as a command.
func (e entry) program() bool { return e.info.Mode().IsRegular() && e.info.Mode().Perm()&0o111 != 0 }
