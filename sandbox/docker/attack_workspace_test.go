package docker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// workspaceAttacks plant something, and then the host reads, writes and lists
// as it does for a model's tools. An answer that begins with "!" is a win.
// What the host does without a box is attacked in package runner.
func workspaceAttacks(g *ground) []attack {
	dir := []wall{bound(g.facts.Dir, g.facts.Dir)}
	const own = "the bound is in the host's own code, see TestHostileFiles"
	return grouped("workspace", driven, []attack{
		{name: "read through planted links", run: "plant-links", walls: dir, drive: readLinks("link-absolute", "link-upwards")},
		{name: "write through a planted link", run: "plant-links", walls: dir, drive: writeLink, wins: changed},
		{name: "list through a planted link", run: "plant-links", walls: dir, drive: listLink("link-dir")},
		{name: "link to the state", run: "plant-links", walls: []wall{noCover()}, drive: readLinks("link-state", "link-statedir/secret")},
		{name: "race of a file and a link", run: "plant-racer", alone: true, walls: dir, call: inBackground, drive: race},
		{name: "pipe", run: "plant-pipe", walls: []wall{anyKind()}, drive: opens("pipe")},
		{name: "links to devices", run: "plant-devices", walls: []wall{anyKind()}, drive: opens("device-zero", "device-stdin")},
		{name: "socket", run: "plant-socket", kept: "a socket can't be opened at all", drive: opens("socket")},
		{name: "link to itself", run: "plant-loop", kept: "the kernel counts links", drive: opens("loop")},
		{name: "file that is all hole", run: "plant-sparse", kept: own, drive: readMuch},
		{name: "names that act on a terminal", run: "plant-names", kept: own, drive: listNames},
		{name: "deep tree", run: "plant-deep", kept: own, drive: listMuch(".", 1<<20)},
		{name: "many entries", run: "plant-many", kept: own, drive: listMuch("many", 1)},
		{name: "git that runs programs", run: "plant-git", walls: []wall{{name: "the host runs no git"}}, drive: lookWithGit, wins: changed},
	})
}

// anyKind lets the agent open what is no regular file.
func anyKind() wall {
	return wall{name: "regular files only", code: []change{
		{"files.go", "\tif !info.Mode().IsRegular() {\n\t\treturn nil, describe", "\tif false {\n\t\treturn nil, describe"},
		{"files.go", "err == nil && !info.Mode().IsRegular()", "err == nil && false"},
	}}
}

func readLinks(links ...string) func(*testing.T, *sandbox.Box, *ground) string {
	return func(_ *testing.T, b *sandbox.Box, g *ground) string {
		for _, link := range links {
			_, data, err := b.ReadFile(context.Background(), link, 1<<20)
			if strings.Contains(string(data), g.secret) {
				return "!read " + link
			}
			if err == nil {
				return "read something else"
			}
		}
		return "not found"
	}
}

func writeLink(_ *testing.T, b *sandbox.Box, g *ground) string {
	if _, _, err := b.WriteFile(context.Background(), "link-writable", []byte("attacked")); err != nil {
		return "refused"
	}
	return "written in the box"
}

func listLink(link string) func(*testing.T, *sandbox.Box, *ground) string {
	return func(_ *testing.T, b *sandbox.Box, g *ground) string {
		entries, _, err := b.List(context.Background(), link, 2, 100)
		for _, e := range entries {
			if e.Path == filepath.Base(g.facts.Secret) {
				return "!listed"
			}
		}
		return fmt.Sprintf("%d entries, %v", len(entries), err != nil)
	}
}

// inBackground leaves the attack running.
func inBackground(c *sandbox.Command) {
	c.Args = []string{"/bin/sh", "-c", c.Args[0] + " " + c.Args[1] + ` >/dev/null 2>&1 & echo '{"got":"racing"}'`}
}

// race reads, writes and lists while names change under it.
func race(t *testing.T, b *sandbox.Box, g *ground) string {
	won := ""
	rounds := 100
	if fullProof() {
		rounds = 1000
	}
	for range rounds {
		_, data, err := b.ReadFile(context.Background(), "race/file", 1<<10)
		if errors.Is(err, sandbox.ErrBoxLost) {
			t.Fatal(err)
		}
		if strings.Contains(string(data), g.secret) {
			won = "!read"
		}
		entries, _, err := b.List(context.Background(), "race/real", 3, 100)
		for _, e := range entries {
			if e.Path == filepath.Base(g.facts.Secret) && err == nil {
				won = "!listed"
			}
		}
		if won != "" {
			return won
		}
	}
	return "lost every race"
}

func opens(names ...string) func(*testing.T, *sandbox.Box, *ground) string {
	return func(_ *testing.T, b *sandbox.Box, _ *ground) string {
		for _, name := range names {
			if _, _, err := b.ReadFile(context.Background(), name, 1<<10); err == nil || errors.Is(err, sandbox.ErrTooLarge) {
				return "!opened " + name
			}
		}
		return "refused"
	}
}

func readMuch(_ *testing.T, b *sandbox.Box, _ *ground) string {
	_, data, err := b.ReadFile(context.Background(), "sparse", 1<<20)
	if len(data) > 1<<20 || !errors.Is(err, sandbox.ErrTooLarge) {
		return fmt.Sprintf("!%d bytes, %v", len(data), err)
	}
	return "cut at the bound"
}

func listNames(_ *testing.T, b *sandbox.Box, _ *ground) string {
	entries, more, err := b.List(context.Background(), "names", 1, 100)
	if err != nil || more || len(entries) != 8 {
		return fmt.Sprintf("!%d entries, %v", len(entries), err)
	}
	return "8 names, whole"
}

func listMuch(dir string, depth int) func(*testing.T, *sandbox.Box, *ground) string {
	return func(_ *testing.T, b *sandbox.Box, _ *ground) string {
		entries, _, err := b.List(context.Background(), dir, depth, 1<<30)
		if err != nil || len(entries) > wire.MaxEntries {
			return fmt.Sprintf("!%d entries, %v", len(entries), err)
		}
		return fmt.Sprintf("%d entries", len(entries))
	}
}

// lookWithGit does what the host never does, where that wall is taken away.
func lookWithGit(t *testing.T, _ *sandbox.Box, g *ground) string {
	if !g.open {
		return "nothing was run"
	}
	c := exec.Command("git", "-c", "safe.directory=*", "-C", filepath.Join(g.facts.Workspace, "planted"), "status")
	out, err := c.CombinedOutput()
	t.Logf("git status: %s, %v", out, err)
	return "git was run"
}
