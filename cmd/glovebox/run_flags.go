package main

import (
	"github.com/shopspring/decimal"
	"github.com/urfave/cli/v2"
	"strconv"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
)

// defaultBudget of `run` in USD: money has a cap unless somebody lifts it.
const defaultBudget = "5"

// order is what a command line of `run` asks for, read and checked.
type order struct {
	spec, dir      string
	model          string
	baseURL, price string
	image, runtime string
	scope          sandbox.Scope
	limits         sandbox.Limits
	budget         decimal.Decimal
	maxSessions    int
	maxTokens      int
	features       int
	yes, json      bool
	quiet, verbose bool
}

// runFlags are the flags of `run`. Their values are texts here, so that what
// is wrong with one is said in our words.
func runFlags() []cli.Flag {
	text := func(name, value, about string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, DefaultText: value, Usage: about}
	}
	flag := func(name, about string, aliases ...string) cli.Flag {
		return &cli.BoolFlag{Name: name, Aliases: aliases, DisableDefaultText: true, Usage: about}
	}
	return []cli.Flag{
		text("project-dir", "", "`DIR` of the project, created if need be"),
		text("model", "", "`MODEL`, for example openrouter/vendor/model:free"),
		text("base-url", "", "`URL` of an OpenAI-compatible server, for custom/"),
		text("price", "", "`IN/OUT`, USD per million tokens, if no table has it"),
		text("budget", defaultBudget, "`USD` for the job at most; 0: free models only"),
		&cli.StringFlag{Name: "features", DefaultText: strconv.Itoa(runner.DefaultFeatures), Usage: "`N` features to plan"},
		text("max-iterations", "0", "`N` sessions of this run at most; 0: no limit"),
		text("max-tokens", "0", "`N` tokens of a reply; 0: as the model allows"),
		text("image", images.Default, "`IMAGE`: base, python, node, go or another"),
		text("scope", string(sandbox.ScopeCall), "`SCOPE` of a box: a call, or a session"),
		text("runtime", "", "`NAME` of the engine's runtime, if not its default"),
		text("memory", "2g", "`SIZE` of the memory of a box"),
		text("cpus", "2", "`N` processors of a box, for example 1.5"),
		text("pids", "2048", "`N` processes and threads of a box"),
		text("disk", "4g", "`SIZE` of the largest file and /tmp of a box"),
		text("timeout", "2m", "`TIME` for a command that names none"),
		flag("yes", "accept the planned features, and files in DIR, unseen"),
		flag("json", "events as JSON lines on stdout"),
		flag("quiet", "no progress", "q"),
		flag("verbose", "the operator's log on stderr"),
	}
}

// readOrder checks the flags of `run`, before anything is looked at or changed.
func (a *app) readOrder(c *cli.Context) (order, error) {
	args, err := arguments(c, "SPEC")
	if err != nil {
		return order{}, err
	}
	o := order{
		spec: args[0], dir: c.String("project-dir"), model: c.String("model"),
		baseURL: c.String("base-url"), price: c.String("price"),
		image: c.String("image"), runtime: c.String("runtime"),
		yes: c.Bool("yes"), json: c.Bool("json"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose"),
	}
	if o.model == "" {
		o.model = a.env("GLOVEBOX_MODEL")
	}
	switch {
	case o.dir == "":
		return o, usage("for example --project-dir my-app", "run: --project-dir is missing")
	case o.model == "":
		return o, usage("for example --model openrouter/vendor/model:free, ollama/qwen3, or scripted/todo, which needs no key", "run: --model is missing")
	case o.image == "":
		return o, usage(imageHint, "run: --image is empty")
	case o.quiet && o.verbose:
		return o, usage("give one of them", "run: --quiet and --verbose contradict each other")
	}
	return o, o.readNumbers(c)
}

func (o *order) readNumbers(c *cli.Context) (err error) {
	if o.limits, err = parseLimits(c.String); err != nil {
		return err
	}
	if o.scope, err = parseScope(c.String("scope")); err != nil {
		return err
	}
	if o.budget, err = parseMoney("budget", c.String("budget")); err != nil {
		return err
	}
	for _, n := range []struct {
		flag        string
		least, most int64
		to          *int
	}{
		{"max-iterations", 0, 1_000_000, &o.maxSessions},
		{"max-tokens", 0, 10_000_000, &o.maxTokens},
		{"features", 1, 100, &o.features},
	} {
		if !c.IsSet(n.flag) && c.String(n.flag) == "" {
			continue // 0 leaves it to the job
		}
		value, err := parseCount(n.flag, c.String(n.flag), n.least, n.most)
		if err != nil {
			return err
		}
		*n.to = int(value)
	}
	return nil
}
