package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/price"
	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// catalogueTime is how long a provider's catalogue is waited for.
const catalogueTime = 30 * time.Second

// nameColumns is how wide the column of names may become; longer ones stick out.
const nameColumns = 60

func (a *app) modelsCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "models",
		Usage:     "lists the models that can be asked with the keys that are set",
		ArgsUsage: "[PROVIDER]",
		Description: `PROVIDER is openrouter, anthropic, openai or ollama; without it all are asked
whose key is set. Prices are USD per million tokens, as of the day in the last
column: OpenRouter's are its catalogue's, others come from a table in glovebox
and may be old. Nothing here costs anything.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "free", DisableDefaultText: true, Usage: "only those that cost nothing"},
			&cli.BoolFlag{Name: "tools", DisableDefaultText: true, Usage: "only those that are known to call tools"},
			&cli.StringFlag{Name: "base-url", Usage: "`URL` instead of PROVIDER's own"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "as one JSON array"},
		},
		Action: a.modelsAction,
	})
}

func (a *app) modelsAction(c *cli.Context) error {
	names, err := a.askable(c.Args().Slice(), c.String("base-url"))
	if err != nil {
		return err
	}
	fences, err := a.fences("")
	if err != nil {
		return err
	}
	options := provider.Options{BaseURL: c.String("base-url"), Fences: fences, BlockPaid: a.blockPaid(false), Version: versionText()}
	lists, answered := a.heard(a.askCatalogues(c.Context, names, options))
	if len(lists) == 0 {
		return noKey()
	}
	var offers []provider.Offer
	for _, l := range lists {
		offers = append(offers, l.Models...)
	}
	offers = slices.DeleteFunc(offers, func(o provider.Offer) bool {
		return c.Bool("free") && !o.Price.Free() || c.Bool("tools") && o.Tools != model.Supported
	})
	if err := a.showOffers(offers, c.Bool("json")); err != nil {
		return err
	}
	for _, l := range lists {
		if l.Unpriced > 0 {
			a.screen.Print(fmt.Sprintf("%s lists %d more whose price is not known; they need --price", l.Provider, l.Unpriced))
		}
	}
	if !answered {
		return fail(runner.FailedRun, "check the network and the keys; what is shown is what the embedded table knows", "no provider's catalogue could be asked")
	}
	return nil
}

// askable are the providers to be asked: the one that is named, or all whose
// key is set and Ollama.
func (a *app) askable(args []string, baseURL string) ([]string, error) {
	catalogues := []string{"openrouter", "anthropic", "openai", "ollama"}
	const hint = "usage: glovebox models [PROVIDER] [flags]"
	switch {
	case len(args) > 1:
		return nil, usage(hint, "models: one argument too many: %q", args[1])
	case len(args) == 1 && !slices.Contains(catalogues, args[0]):
		return nil, usage("providers: "+strings.Join(catalogues, ", "), "models: %q has no catalogue", args[0])
	case len(args) == 0 && baseURL != "":
		return nil, usage("for example glovebox models openrouter --base-url URL", "models: --base-url needs a PROVIDER")
	case len(args) == 1 && !a.hasKey(args[0]):
		return nil, usage("export it in this shell; it stays on the host", "models: %s, the key of %s, is not set", provider.Key(args[0]), args[0])
	case len(args) == 1:
		catalogues = args
	}
	var names []string
	for _, name := range catalogues {
		if err := a.keys.check(name+"/", ""); err != nil {
			return nil, err
		}
		if a.hasKey(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// hasKey says that a provider's key is set, or that it wants none.
func (a *app) hasKey(name string) bool {
	variable := provider.Key(name)
	_, file := a.keys[variable] // whatever is wrong with it is said by check
	return variable == "" || file || strings.TrimSpace(a.env(variable)) != ""
}

// askCatalogues asks all at once; the answers have the order of the names.
func (a *app) askCatalogues(ctx context.Context, names []string, o provider.Options) []provider.Offers {
	ctx, cancel := context.WithTimeout(ctx, catalogueTime)
	defer cancel()
	lists := make([]provider.Offers, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { lists[i] = provider.List(ctx, name, a.env, o) })
	}
	all.Wait()
	return lists
}

// heard says which providers could not be asked. An Ollama that nobody has set
// up is none.
func (a *app) heard(lists []provider.Offers) (left []provider.Offers, answered bool) {
	for _, l := range lists {
		var fault *model.Error
		nobody := errors.As(l.Err, &fault) && fault.Fault == model.FaultUnreachable
		if l.Provider == "ollama" && len(lists) > 0 && nobody && a.env("OLLAMA_HOST") == "" {
			continue
		}
		left = append(left, l)
		if l.Err == nil {
			answered = true
			continue
		}
		rest := ""
		if len(l.Models) > 0 {
			rest = "; shown is what the table of " + price.Date() + " knows"
		}
		a.screen.Print(cut(plain(fmt.Sprintf("glovebox: %s could not be asked: %v", l.Provider, l.Err)), maxMessage) + rest)
	}
	return left, answered
}

// noKey is the ending where nobody can be asked.
func noKey() error {
	return usage("export one of them in this shell, or start Ollama; scripted/todo needs neither",
		"no key is set: %s, or a variable with %s at its end that names a file", strings.Join(provider.Keys(), ", "), fileSuffix)
}

// offerJSON is an offer for programs; amounts are USD per million tokens.
type offerJSON struct {
	Model     string          `json:"model"`
	Context   int             `json:"context"`    // tokens, 0 is unknown
	MaxOutput int             `json:"max_output"` // likewise
	In        decimal.Decimal `json:"in"`
	Out       decimal.Decimal `json:"out"`
	Tools     *bool           `json:"tools"` // null is unknown
	Free      bool            `json:"free"`
	AsOf      string          `json:"as_of"`
}

func (a *app) showOffers(offers []provider.Offer, asJSON bool) error {
	if asJSON {
		list := []offerJSON{}
		for _, o := range offers {
			list = append(list, offerJSON{o.Name, o.Context, o.MaxOutput, o.Price.Prompt.Shift(6), o.Price.Completion.Shift(6), known(o.Tools), o.Price.Free(), o.AsOf})
		}
		return a.printJSON(list, true)
	}
	if len(offers) == 0 {
		a.screen.Print("no such models")
		return nil
	}
	rows := [][]string{{"MODEL", "CONTEXT", "IN", "OUT", "TOOLS", "FREE", "AS OF"}}
	for _, o := range offers {
		rows = append(rows, []string{plain(o.Name), orDash(o.Context), o.Price.Prompt.Shift(6).String(), o.Price.Completion.Shift(6).String(),
			yesNo(known(o.Tools)), freeWord(o.Price), o.AsOf})
	}
	a.printTable(rows)
	return nil
}

// printTable prints rows in columns: the first on the left, numbers on the right.
func (a *app) printTable(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = min(max(widths[i], width(cell)), nameColumns)
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(pad(row[0], widths[0]))
		for i, cell := range row[1:] {
			line.WriteString("  " + pad("", widths[i+1]-width(cell)) + cell)
		}
		a.print("%s", line.String())
	}
}

func known(s model.Support) *bool {
	if s == model.SupportUnknown {
		return nil
	}
	yes := s == model.Supported
	return &yes
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return "?"
	case *b:
		return "yes"
	default:
		return "no"
	}
}

func freeWord(p model.Price) string {
	if p.Free() {
		return "free"
	}
	return "-"
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
