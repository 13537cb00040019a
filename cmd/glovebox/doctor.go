package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/agent/binary"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// The states of a check. Only what is missing makes the machine unusable.
const (
	checkOK      = "ok"
	checkWarn    = "warn"
	checkMissing = "missing"
)

// check is one thing that doctor looked at.
type check struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

func (a *app) doctorCommand() *cli.Command {
	return command(&cli.Command{
		Name:  "doctor",
		Usage: "checks whether this machine can build boxes; exit code 6 if not",
		Description: `It asks the engine what it can do and, the first time that it meets this engine
and runtime, lets a box run into its limits, which takes about a second.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "runtime", DefaultText: "", Usage: "checks boxes of the engine's runtime `NAME`"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON object"},
		},
		Action: a.doctorAction,
	})
}

func (a *app) doctorAction(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	checks := append(a.checkEngine(c.Context, c.String("runtime")), a.checkKeys())
	usable := !slices.ContainsFunc(checks, func(c check) bool { return c.State == checkMissing })
	if c.Bool("json") {
		err := a.printJSON(struct {
			Usable bool    `json:"usable"`
			Checks []check `json:"checks"`
		}{usable, checks}, true)
		if err != nil {
			return err
		}
	} else {
		for _, c := range checks {
			a.printHanging(pad(c.State, 8)+" "+pad(c.Name, 9)+" ", c.Text)
			if c.Hint != "" {
				a.printHanging(pad("", 19), "hint: "+c.Hint)
			}
		}
	}
	if !usable {
		return fail(runner.NoSandbox, "mend what is marked missing above", "no box can be started on this machine")
	}
	return nil
}

// checkEngine looks at everything that hangs on the engine.
func (a *app) checkEngine(ctx context.Context, runtime string) []check {
	engine, err := docker.New(ctx, docker.Options{Runtime: runtime, CacheDir: a.cacheDir()})
	if err != nil {
		return []check{{"engine", checkMissing, err.Error(), engineHint}}
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	f, err := engine.Facts(ctx)
	if err != nil {
		return []check{{"engine", checkMissing, err.Error(), engineHint}}
	}
	return []check{
		{"engine", checkOK, fmt.Sprintf("Docker %s, API %s, at %s, on %s, kernel %s", f.Version, f.API, f.Host, f.System, f.Kernel), ""},
		{"machine", checkOK, fmt.Sprintf("%s, %d cpus, %s memory", f.Arch, f.CPUs, units.BytesSize(float64(f.Memory))), ""},
		checkWalls(ctx, engine, f),
		{"runtimes", checkOK, strings.Join(f.Runtimes, ", ") + " (default " + f.Runtime + ")", ""},
		checkAgent(f.Arch),
		checkImage(ctx, engine),
		checkDisk(f),
	}
}

// checkWalls says whether every wall of a box can be built.
func checkWalls(ctx context.Context, engine *docker.Engine, f docker.Facts) check {
	err := engine.Check(ctx)
	var wall *sandbox.WallError
	switch {
	case errors.As(err, &wall):
		return check{"walls", checkMissing, "no " + wall.Wall + ": " + wall.Why, "use an engine that has it; glovebox runs nothing without it"}
	case err != nil:
		return check{"walls", checkMissing, err.Error(), "see the engine's own log"}
	}
	shares, err := engine.SharesNetwork(ctx)
	if err != nil {
		return check{"walls", checkMissing, err.Error(), "see the engine's own log"}
	}
	text := fmt.Sprintf("limits of memory, processes and cpus bite (cgroup v%s, %s)", f.Cgroup, f.CgroupDriver)
	if shares {
		text += ", system calls are filtered"
	} else {
		text += ", a kernel for each box, which shares no network: scope is session"
	}
	if f.AppArmor {
		text += ", AppArmor"
	}
	return check{"walls", checkOK, text, ""}
}

// checkAgent says whether this program carries the agent for the engine.
func checkAgent(arch string) check {
	agent, err := binary.For(arch)
	if err != nil {
		return check{"agent", checkMissing, err.Error(), "build glovebox with `make build`"}
	}
	return check{"agent", checkOK, fmt.Sprintf("linux/%s, %s, build %.12s", arch, units.HumanSize(float64(agent.Size)), agent.Build), ""}
}

// checkImage says whether the default image is here.
func checkImage(ctx context.Context, engine *docker.Engine) check {
	recipe, _ := images.Info(images.Default)
	img, err := engine.Find(ctx, recipe.Tag)
	switch {
	case errors.Is(err, images.ErrNotFound):
		return check{"image", checkWarn, images.Default + " is not built yet", "the first run builds it; or: glovebox image build"}
	case err != nil:
		return check{"image", checkMissing, err.Error(), "see the engine's own log"}
	}
	return check{"image", checkOK, fmt.Sprintf("%s (%s, on %s)", recipe.Tag, units.HumanSize(float64(img.Size)), images.Origin(img)), ""}
}

// lowDisk is the free space in bytes below which doctor warns: the images take
// about 2 GB and a box may write as much again.
const lowDisk = 4 << 30

func checkDisk(f docker.Facts) check {
	switch {
	case f.Free < 0:
		return check{"disk", checkOK, "the engine is not on this machine, its disk can't be seen", ""}
	case f.Free < lowDisk:
		return check{"disk", checkWarn, fmt.Sprintf("only %s free at %s", units.HumanSize(float64(f.Free)), f.Root), "free some, for example with: glovebox clean --images"}
	default:
		return check{"disk", checkOK, fmt.Sprintf("%s free at %s", units.HumanSize(float64(f.Free)), f.Root), ""}
	}
}

// checkKeys names the keys that are set. Their values are shown nowhere.
func (a *app) checkKeys() check {
	var set []string
	for _, name := range provider.Keys() {
		if f, ok := a.keys[name]; ok && f.err != nil {
			return check{"keys", checkWarn, fmt.Sprintf("the file that %s%s names can't be used: %v", name, fileSuffix, f.err), "name a file that holds the key and nothing else"}
		}
		if a.env(name) != "" {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return check{"keys", checkWarn, "none is set", "export OPENROUTER_API_KEY, ANTHROPIC_API_KEY or OPENAI_API_KEY for a hosted model; ollama/ and scripted/ models need none"}
	}
	return check{"keys", checkOK, strings.Join(set, ", "), ""}
}
