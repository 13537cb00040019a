package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/handover"
)

func (a *app) handoverCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "handover",
		Usage:     "shows what in a project would run by itself, and disarms its git",
		ArgsUsage: "DIR",
		Description: `Lists what would run on your machine when you enter DIR, open it in an editor,
type git there, install, build, test or push it. Git hooks and settings that
could run something are moved to DIR/.glovebox/handover. Nothing is executed to
find out. The exit code is 3 if something is left that runs on entering.`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON object"}},
		Action: a.handoverAction,
	})
}

func (a *app) handoverAction(c *cli.Context) error {
	args, err := arguments(c, "DIR")
	if err != nil {
		return err
	}
	dir, err := knownProject(args[0])
	if err != nil {
		return err
	}
	found, err := runner.Handover(c.Context, dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := a.printJSON(found, true); err != nil {
			return err
		}
	} else {
		a.printHandover(args[0], found)
	}
	if n := found.Left[handover.Enter]; n > 0 {
		return fail(runner.Incomplete, "look at each before you enter the directory or open it in an editor",
			"left in %s: %s", args[0], severityText(handover.Enter, n))
	}
	return nil
}

// printHandover writes all of a handover for people.
func (a *app) printHandover(dir string, r handover.Report) {
	a.print("%s: %s", plain(dir), handoverText(r))
	for _, severity := range handover.Severities() {
		a.printFindings(severityText(severity, r.Left[severity]), r.Findings, func(f handover.Finding) bool {
			return f.Aside == "" && f.Severity == severity
		})
	}
	a.printFindings("made harmless", r.Findings, func(f handover.Finding) bool { return f.Aside != "" })
	for _, kind := range slices.Sorted(maps.Keys(r.More)) {
		a.print("\n%s more of the kind %s", thousands(r.More[kind]), kind)
	}
}

func (a *app) printFindings(title string, all []handover.Finding, is func(handover.Finding) bool) {
	for _, f := range all {
		if !is(f) {
			continue
		}
		if title != "" {
			a.print("\n%s", title)
			title = ""
		}
		a.printHanging("  "+pad(f.Kind, len("vscode-extensions"))+"  ", findingText(f))
	}
}

// findingText is a finding in one line. Its words come from the project.
func findingText(f handover.Finding) string {
	text := path.Clean(f.Path) + ": " + f.Detail
	if f.Aside != "" {
		text += "; kept as " + f.Aside
	}
	return text
}

// handoverText says in one line what was found.
func handoverText(r handover.Report) string {
	var parts []string
	if r.Mended > 0 {
		parts = append(parts, count(r.Mended, "thing")+" of git made harmless")
	}
	for _, severity := range handover.Severities() {
		if n := r.Left[severity]; n > 0 {
			parts = append(parts, severityText(severity, n))
		}
	}
	if len(parts) == 0 {
		return "nothing here runs by itself"
	}
	return strings.Join(parts, "; ")
}

// severityText says of how many findings when they run.
func severityText(s handover.Severity, n int) string {
	runs := "runs"
	if n != 1 {
		runs = "run"
	}
	switch s {
	case handover.Enter:
		return fmt.Sprintf("%s that %s when you enter it, open it or type git", count(n, "thing"), runs)
	case handover.Build:
		return fmt.Sprintf("%s that %s when you install, build, test or push", count(n, "thing"), runs)
	default:
		return count(n, "thing") + " to look at"
	}
}

// worstShown is how many findings the summary of a run names.
const worstShown = 3

// handover writes what a person should know before they open the project.
func (r report) handover(found handover.Report) {
	r.field("handover", handoverText(found))
	shown := 0
	for _, f := range found.Findings {
		if f.Severity == handover.Enter && shown < worstShown {
			r.field("", cut(plain(findingText(f)), 2*max(r.columns-10, 20)))
			shown++
		}
	}
	if len(found.Findings) > 0 {
		r.field("", "all of it: glovebox handover "+r.dir)
	}
}
