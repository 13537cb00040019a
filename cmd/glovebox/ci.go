package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/batch"
	reports "github.com/glovebox-run/glovebox/runner/report"
)

// onGitHub and onGitLab say that a CI server's job runs this program.
func (a *app) onGitHub() bool { return a.env("GITHUB_ACTIONS") == "true" }
func (a *app) onGitLab() bool { return a.env("GITLAB_CI") != "" }

// inCI says that nobody watches, whatever the streams look like: some runners
// give their jobs a terminal.
func inCI(env func(string) string) bool {
	return env("GITHUB_ACTIONS") == "true" || env("GITLAB_CI") != ""
}

// maxAnnotations is how many warnings GitHub shows of a step.
const maxAnnotations = 10

// annotate writes a workflow command of GitHub: kind is error or warning. The
// text is one that a model may have written.
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func (a *app) annotate(kind, title, text string) {
	_ = a.stderr.Flush() // what was said before stands before it
	fmt.Fprintf(a.rawErr, "::%s title=%s::%s\n", kind, escapeProperty(a.redact.String(plain(title))), escapeData(a.redact.String(text)))
}

// escapeData and escapeProperty are GitHub's own rules (actions/toolkit, command.ts).
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}

// annotateFailure shows on GitHub why the program ended.
func (a *app) annotateFailure(e *runner.Error) {
	if !a.onGitHub() {
		return
	}
	text := cut(plain(e.Error()), maxMessage)
	if e.Hint != "" {
		text += "\nhint: " + cut(plain(e.Hint), maxMessage)
	}
	a.annotate("error", "glovebox: "+string(e.Outcome), text)
}

// ciJob is a job as a CI server is told of it.
type ciJob struct {
	name   string
	status runner.Status
	end    runner.Outcome
	reason string
}

// tellCI tells the CI server that runs this program what came of a run, if it
// came to a job.
func (a *app) tellCI(jobs []ciJob, o order) {
	a.tellGitHub(jobs)
	for _, j := range jobs {
		a.sayJUnit(j.status, o)
	}
}

// tellGitHub gives GitHub warnings and a summary of the step.
func (a *app) tellGitHub(jobs []ciJob) {
	if !a.onGitHub() {
		return
	}
	shown := 0
	for _, j := range jobs {
		for _, f := range j.status.Features {
			if f.Passes || shown == maxAnnotations {
				continue
			}
			shown++
			a.annotate("warning", "not proved: "+j.name+", "+f.ID, plain(f.Description))
		}
	}
	if file := a.env("GITHUB_STEP_SUMMARY"); file != "" {
		if err := appendTo(file, a.redact.String(stepSummary(jobs))); err != nil {
			a.screen.Print("glovebox: can't write the summary for GitHub: " + plain(err.Error()))
		}
	}
}

// ciJobs are the jobs of a batch.
func ciJobs(results []batch.Result) []ciJob {
	jobs := make([]ciJob, len(results))
	for i, r := range results {
		jobs[i] = ciJob{name: r.Item.Name, status: r.Status, end: r.Outcome, reason: r.Reason}
		if jobs[i].end == "" {
			jobs[i].end = runner.Outcome(r.State)
		}
	}
	return jobs
}

// maxSummary keeps a summary well below the 1 MiB that GitHub takes of a step.
const maxSummary = 256 << 10

// stepSummary is what came of jobs as Markdown.
func stepSummary(jobs []ciJob) string {
	var b strings.Builder
	for _, j := range jobs {
		s := j.status
		fmt.Fprintf(&b, "### %s: %s\n\n%d of %d features verified, %s USD, %s\n\n", markdown(j.name), markdown(string(j.end)), s.Passing(), len(s.Features), s.Spent, took(s.Seconds))
		if j.reason != "" && j.end != runner.Done {
			fmt.Fprintf(&b, "%s\n\n", markdown(j.reason))
		}
		if len(s.Features) > 0 {
			b.WriteString("| | feature | |\n|---|---|---|\n")
		}
		for _, f := range s.Features {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", map[bool]string{true: "proved", false: "not proved"}[f.Passes], markdown(f.ID), markdown(f.Description))
		}
		b.WriteString("\n")
		if b.Len() > maxSummary {
			b.WriteString("The rest is left out; the report has all of it.\n")
			break
		}
	}
	return b.String()
}

// markdown makes a text of a model plain in Markdown: all but letters, digits
// and blanks become character references, which are never markup, HTML, a
// mention or a link.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range cut(plain(s), 500) {
		if r == ' ' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// section opens a part of GitLab's log that can be folded, and returns what
// closes it. https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func (a *app) section(quiet bool, title string) (end func()) {
	if quiet || !a.onGitLab() {
		return func() {}
	}
	mark := func(kind, text string) {
		a.screen.Print(fmt.Sprintf("\x1b[0Ksection_%s:%d:glovebox\r\x1b[0K%s", kind, now().Unix(), text))
	}
	mark("start", "glovebox: "+plain(title))
	return func() { mark("end", "") }
}

// sayJUnit leaves the reports of a job where a CI server can collect them, and says where.
func (a *app) sayJUnit(s runner.Status, o order) {
	if !inCI(a.env) || s.ID == "" {
		return
	}
	if err := a.leaveReport(s.Dir); err != nil {
		a.screen.Print("glovebox: no report: " + plain(err.Error()))
		return
	}
	if !o.quiet {
		a.screen.Print("junit     " + plain(filepath.Join(o.dir, stateDir, "report", reports.JUnitFile)))
	}
}

// leaveReport writes the reports of a job into its state.
func (a *app) leaveReport(dir string) error {
	r, err := a.report(dir, false)
	if err != nil {
		return err
	}
	root, perm, _, err := reportPlace(dir, "")
	if err != nil {
		return err
	}
	defer root.Close()
	return reports.Save(root, r, perm)
}

// unobeyed keeps GitHub from obeying what a program prints: a line that begins
// with "::", after blanks, and "##[" anywhere are commands to it, and what a
// model wrote may be on any line. An apostrophe makes them text.
type unobeyed struct {
	w      io.Writer
	line   lineState
	hashes int
}

type lineState int

const (
	lineStart lineState = iota // blanks only, so far
	lineColon                  // blanks and a colon
	lineText
)

// newUnobeyed is w as it is if a file is behind it: GitHub reads none.
func newUnobeyed(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeType == 0 {
			return w
		}
	}
	return &unobeyed{w: w}
}

func (u *unobeyed) Write(p []byte) (int, error) {
	var b strings.Builder
	for _, r := range string(p) {
		if r == ':' && u.line == lineColon || r == '[' && u.hashes >= 2 {
			b.WriteByte('\'')
		}
		switch {
		case r == '\n' || r == '\r':
			u.line = lineStart
		case r == ':' && u.line == lineStart:
			u.line = lineColon
		case u.line == lineColon || !unicode.IsSpace(r) && r != 0xfeff:
			u.line = lineText
		}
		if u.hashes++; r != '#' {
			u.hashes = 0
		}
		b.WriteRune(r)
	}
	_, err := io.WriteString(u.w, b.String())
	return len(p), err
}
