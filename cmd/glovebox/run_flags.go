package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox"
)

// defaultBudget of `run` in USD: money has a cap unless somebody lifts it.
const defaultBudget = "5"

// order is what a command line of `run` asks for, read and checked.
type order struct {
	spec, dir      string
	model          string
	baseURL, price string
	effort         string
	upstreams      []string         // of OpenRouter
	fences         []provider.Fence // of models
	blockPaid      bool
	image, runtime string
	scope          sandbox.Scope
	scopeGiven     bool // not only by default
	workspace      runner.WorkspaceMode
	limits         sandbox.Limits
	budget         decimal.Decimal
	budgetGiven    bool             // not only by default
	budgetHad      *decimal.Decimal // of the job, if it was begun
	wait           bool
	record         string // file
	maxSessions    int
	maxTurns       int
	maxTime        time.Duration
	maxCalls       int
	maxJobTokens   int
	maxTokens      int
	loop           int
	features       int
	tools          runner.ToolMode
	branch         string
	allowDirty     bool
	prompts        string // directory
	accept         string // file with the user's own test
	acceptEach     bool
	acceptOutput   bool
	approve        string            // file
	signedOff      []feature.Feature // that it holds
	yes, json      bool
	dryRun         bool
	onEnd          string // command of the user
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
	words := func(name, about string) cli.Flag {
		return &cli.GenericFlag{Name: name, Value: new(wordList), DefaultText: "", Usage: about}
	}
	return []cli.Flag{
		text("project-dir", "", "`DIR` of the project, created if need be"),
		text("model", "", "`MODEL`: provider/id, or auto, a free one of OpenRouter"),
		text("base-url", "", "`URL` instead of the provider's; custom/ needs it"),
		words("provider", "`NAME` of an OpenRouter upstream to ask; repeatable"),
		text("effort", "", "`LEVEL` of reasoning, from none to max"),
		words("allow-models", "`GLOB` that the model must match; repeatable"),
		flag("block-paid", "refuse models that cost anything"),
		text("price", "", "`IN/OUT`, USD per million tokens, if no table has it"),
		&cli.StringFlag{Name: "budget", DefaultText: defaultBudget, Usage: "`USD` for the job at most; 0: free models only"},
		&cli.StringFlag{Name: "features", DefaultText: strconv.Itoa(runner.DefaultFeatures), Usage: "`N` features to plan"},
		flag("wait", "sleep until a daily limit's reset, and go on"),
		text("max-iterations", "0", "`N` sessions of this run; 0: no limit"),
		text("max-turns", "0", "`N` turns of a session; 0: by its kind"),
		text("max-time", "0", "`TIME` of this run, as 8h; 0: no limit"),
		text("max-calls", "0", "`N` tool calls of this run; 0: no limit"),
		text("max-job-tokens", "0", "`N` tokens in and out of the job; 0: no limit"),
		text("max-tokens", "0", "`N` tokens of a reply; 0: by the model"),
		text("loop", "1", "`N` times the patience with loops; 0: no end"),
		text("tools", string(runner.ToolsAuto), "`HOW` the model calls tools: native, text"),
		text("image", images.Default, "`IMAGE`: base, python, node, go or any"),
		text("scope", string(sandbox.ScopeCall), "`SCOPE` of a box: a call, or a session"),
		text("workspace", string(runner.WorkspaceAuto), "`MODE`: bind or volume; auto: what works"),
		text("runtime", "", "`NAME` of the engine's runtime, if not its default"),
		text("memory", "2g", "`SIZE` of the memory of a box"),
		text("cpus", "2", "`N` processors of a box, for example 1.5"),
		text("pids", "2048", "`N` processes and threads of a box"),
		text("disk", "4g", "`SIZE` of all files of project and home"),
		text("timeout", "2m", "`TIME` for a command that names none"),
		text("accept", "", "`FILE`, your own test, which the model never sees"),
		flag("accept-each", "run it after each feature, not only at the end"),
		flag("accept-output", "the model may see what it prints"),
		text("prompts", "", "`DIR` with prompts instead of the built-in ones"),
		text("record", "", "`FILE` for the raw traffic with the provider, no keys"),
		&cli.StringFlag{Name: "branch", DefaultText: "glovebox/JOB", Usage: "`NAME` for commits; or current"},
		flag("allow-dirty", "begin with work that is not committed"),
		text("approve", "", "`FILE`: features that were signed off before"),
		flag("yes", "accept the planned features, and files in DIR, unseen"),
		flag("dry-run", "say what a run would do and cost; send nothing"),
		flag("json", "events as JSON lines on stdout"),
		text("on-end", "", "`CMD` of yours that gets the end as JSON on stdin"),
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
	return a.orderOf(commandLine{c}, args[0], c.String("project-dir"))
}

// values are what the flags of a job are set to, wherever that is written.
type values interface {
	String(flag string) string
	Bool(flag string) bool
	IsSet(flag string) bool
	Words(flag string) []string
}

// commandLine are the values of a command line.
type commandLine struct{ *cli.Context }

// Words implements values.
func (c commandLine) Words(flag string) []string { return *c.Generic(flag).(*wordList) }

// orderOf reads the order for one spec.
func (a *app) orderOf(c values, spec, dir string) (o order, err error) {
	o = order{
		spec: spec, dir: dir, model: c.String("model"),
		baseURL: c.String("base-url"), price: c.String("price"),
		image: c.String("image"), runtime: c.String("runtime"),
		effort: c.String("effort"), upstreams: c.Words("provider"), blockPaid: a.blockPaid(c.Bool("block-paid")),
		wait: c.Bool("wait"), record: c.String("record"), approve: c.String("approve"),
		branch: c.String("branch"), allowDirty: c.Bool("allow-dirty"),
		prompts: c.String("prompts"), accept: c.String("accept"), acceptEach: c.Bool("accept-each"), acceptOutput: c.Bool("accept-output"),
		yes: c.Bool("yes"), json: c.Bool("json"), dryRun: c.Bool("dry-run"), onEnd: c.String("on-end"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose"),
	}
	if o.model == "" {
		o.model = a.env("GLOVEBOX_MODEL")
	}
	if o.fences, err = a.fences(strings.Join(c.Words("allow-models"), ",")); err != nil {
		return o, err
	}
	switch {
	case o.dir == "":
		return o, usage("for example --project-dir my-app", "run: --project-dir is missing")
	case o.model == "":
		return o, usage("for example --model openrouter/vendor/model:free, ollama/qwen3, or scripted/todo, which needs no key", "run: --model is missing")
	case c.IsSet("prompts") && o.prompts == "":
		return o, usage("name a directory, or leave it out", "run: --prompts is empty")
	case c.IsSet("accept") && o.accept == "":
		return o, usage("name a file, or leave it out: a job keeps the test that it was given", "run: --accept is empty")
	case o.image == "":
		return o, usage(imageHint, "run: --image is empty")
	case c.IsSet("approve") && o.approve == "":
		return o, usage("for example --approve agreed.json", "run: --approve names no file")
	case o.approve != "" && c.IsSet("features"):
		return o, usage("leave --features out: the list says how many", "run: --approve and --features contradict each other")
	case o.quiet && o.verbose:
		return o, usage("give one of them", "run: --quiet and --verbose contradict each other")
	}
	if c.IsSet("branch") && o.branch == "" {
		o.branch = runner.BranchCurrent
	}
	if err := runner.CheckBranch(o.branch); err != nil {
		return o, err
	}
	return o, o.readNumbers(c)
}

func (o *order) readNumbers(c values) (err error) {
	if o.limits, err = parseLimits(c.String); err != nil {
		return err
	}
	if o.scope, err = parseScope(c.String("scope")); err != nil {
		return err
	}
	if o.workspace, err = parseWorkspace(c.String("workspace")); err != nil {
		return err
	}
	o.scopeGiven = c.IsSet("scope")
	if o.tools, err = parseTools(c.String("tools")); err != nil {
		return err
	}
	if o.maxTime, err = parseMaxTime(c.String("max-time")); err != nil {
		return err
	}
	if o.budgetGiven = c.IsSet("budget"); !o.budgetGiven {
		o.budget = decimal.RequireFromString(defaultBudget)
	} else if o.budget, err = parseMoney("budget", c.String("budget")); err != nil {
		return err
	}
	for _, n := range []struct {
		flag        string
		least, most int64
		to          *int
	}{
		{"max-iterations", 0, 1_000_000, &o.maxSessions},
		{"max-turns", 0, 1_000_000, &o.maxTurns},
		{"max-calls", 0, 1_000_000_000, &o.maxCalls},
		{"max-job-tokens", 0, 1_000_000_000_000, &o.maxJobTokens},
		{"max-tokens", 0, 10_000_000, &o.maxTokens},
		{"loop", 0, 100, &o.loop},
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

// keepBudget gives a job that was begun the cap that it has, unless the command
// line names another one.
func (o *order) keepBudget(dir string, state projectState) {
	if state != projectKnown {
		return
	}
	had, begun, err := runner.Budget(dir)
	if err != nil || !begun {
		return // whatever is wrong with the ledger is the runner's to find and to say
	}
	o.budgetHad = &had
	if !o.budgetGiven {
		o.budget = had
	}
}

// budgetText is the cap, and what it was before if that changes.
func (o *order) budgetText() string {
	text := o.budget.String() + " USD in all"
	if o.budgetHad != nil && !o.budgetHad.Equal(o.budget) {
		text += fmt.Sprintf(" (it was %s)", o.budgetHad)
	}
	return text
}

// wordList is a flag that may be given several times, with words between commas.
type wordList []string

// Set implements flag.Value. Nothing is no value: what was to be narrowed would
// stay wide.
func (l *wordList) Set(value string) error {
	if strings.Trim(value, ", ") == "" {
		return errors.New("it names nothing")
	}
	for _, word := range strings.Split(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

func (l *wordList) String() string { return strings.Join(*l, ",") }

// fences are the flag's and the environment's patterns of allowed models. Both
// must allow a model, so that a flag can't widen what the environment fences off.
func (a *app) fences(flag string) ([]provider.Fence, error) {
	var fences []provider.Fence
	for _, text := range []string{a.env("GLOVEBOX_ALLOW_MODELS"), flag} {
		fence, err := provider.ParseFence(text)
		if err != nil {
			return nil, err
		}
		fences = append(fences, fence)
	}
	return fences, nil
}

// blockPaid says that models that cost anything are refused, by the flag or by
// the environment. A word that is no clear no is a yes.
func (a *app) blockPaid(flag bool) bool {
	switch strings.ToLower(strings.TrimSpace(a.env("GLOVEBOX_BLOCK_PAID"))) {
	case "", "0", "false", "no", "off":
		return flag
	default:
		return true
	}
}
