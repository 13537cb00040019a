package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/docker/go-units"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/provider"
	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/docker"
)

// forecast is what would happen, found out without a request and without a box.
type forecast struct {
	Begins   bool      `json:"begins"`
	ExitCode int       `json:"exit_code"`
	Done     bool      `json:"done"`        // the job has ended well already: nothing would be started
	AtMost   string    `json:"usd_at_most"` // from here on
	Facts    []fact    `json:"facts"`
	Missing  []missing `json:"missing"` // the first one decides the exit code
	first    *runner.Error
}

// fact is one thing that would be used.
type fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// missing is one thing that a run would end for.
type missing struct {
	Outcome runner.Outcome `json:"outcome"`
	Reason  string         `json:"reason"`
	Hint    string         `json:"hint"`
}

func (f *forecast) fact(name, format string, args ...any) {
	f.Facts = append(f.Facts, fact{name, fmt.Sprintf(format, args...)})
}

// miss notes what stands in the way, if anything does, and says whether.
func (f *forecast) miss(err error) bool {
	if err == nil {
		return false
	}
	e := explain(err)
	if f.first == nil {
		f.first = e
	}
	f.Missing = append(f.Missing, missing{e.Outcome, e.Error(), e.Hint})
	return true
}

// dryRun does everything of a run but what is sent, started, built, created or
// asked, and says what it found. It ends as a run would that ends before its
// first request: with the code of the first thing that is missing.
func (a *app) dryRun(ctx context.Context, o order) error {
	f := &forecast{}
	a.foreseeProject(ctx, f, &o)
	f.AtMost = "0"
	if !f.Done {
		f.foreseeModel(a, o)
		a.foreseeEngine(ctx, f, o.runtime, o.image)
	}
	f.Begins = f.first == nil
	if !f.Begins {
		f.ExitCode = f.first.Outcome.ExitCode()
	}
	return a.showForecast(f, o)
}

// foreseeProject looks at all that a run reads before it asks anybody.
func (a *app) foreseeProject(ctx context.Context, f *forecast, o *order) {
	spec, err := readSpec(o.spec)
	read := !f.miss(err)
	if read {
		f.fact("spec", "%s, %s", plain(o.spec), units.BytesSize(float64(len(spec.Text))))
	}
	dir, state, err := checkProject(o.dir, a.env("HOME"))
	if f.miss(err) {
		return
	}
	f.fact("project", "%s: %s", plain(o.dir), projectText(dir, state))
	o.signedOff, err = readSignedOff(o.approve, dir)
	f.miss(err)
	more, err := readExtras(*o, dir)
	f.miss(err)
	if f.first == nil && a.isDone(*o, spec, more.accept, dir, state) {
		f.Done = true
		return
	}
	if read {
		f.miss(runner.Foresee(dir, spec, o.features))
	}
	if !a.canAsk() {
		f.miss(a.mayMixOwners(ctx, *o, dir, state))
	}
	if err := a.mayApprove(*o, dir, state); !f.miss(err) {
		f.fact("list", "%s", approvalText(*o, state))
	}
	o.keepBudget(dir, state)
	f.miss(a.keys.check(o.model, dir))
	_, err = freeRecording(*o, dir)
	f.miss(err)
	o.dir = dir
}

// projectText is what lies in a project directory.
func projectText(dir string, state projectState) string {
	switch state {
	case projectMissing:
		return "it will be created"
	case projectEmpty:
		return "empty"
	case projectForeign:
		return "not empty, and no job was begun there; its files may be changed"
	}
	s, err := runner.ReadStatus(dir)
	if err != nil {
		return "a job was begun there; it can't be read: " + plain(err.Error())
	}
	text := "a job was begun there, " + headline(s)
	if s.Lent {
		text += ", and gives the lent directory back first"
	}
	return text
}

func approvalText(o order, state projectState) string {
	switch {
	case o.signedOff != nil:
		return fmt.Sprintf("%d features that were signed off (--approve)", len(o.signedOff))
	case o.yes:
		return "planned features are accepted unseen (--yes)"
	case state == projectKnown:
		return "as the job has it, or you are asked"
	default:
		return "you are asked on this terminal"
	}
}

// freeRecording is where --record may write; nothing is created.
func freeRecording(o order, dir string) (string, error) {
	path, err := recordingPath(o, dir)
	if err != nil || path == "" {
		return path, err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, recordingExists(o)
	}
	return path, nil
}

// foreseeModel says what is known of the model without asking its provider, and
// what may be spent from here on.
func (f *forecast) foreseeModel(a *app, o order) {
	left := o.budget
	if s, err := runner.ReadStatus(o.dir); err == nil {
		left = decimal.Max(decimal.Zero, left.Sub(s.Spent))
	}
	info, err := provider.Quote(o.model, a.env, a.asked(o))
	if f.miss(err) {
		return
	}
	f.fact("model", "%s", plain(quoteText(o.model, info)))
	if info.PriceSource != "" && info.Price.Free() || isScripted(o.model) {
		f.fact("cost", "0 USD")
		return
	}
	f.AtMost = left.String()
	text := left.String() + " USD at most"
	if !left.Equal(o.budget) {
		text += fmt.Sprintf(", what is left of %s", o.budget)
	}
	f.fact("cost", "%s", text)
}

// quoteText is a model and what it costs, as far as that is known here.
func quoteText(name string, info model.Info) string {
	switch info.PriceSource {
	case "":
		return name + " (its price is in the provider's catalogue, which was not asked)"
	case "auto takes free models only":
		return name + " (a free model of OpenRouter, chosen when the run begins)"
	}
	return modelLine(name, info)
}

// foreseeEngine asks the engine about itself and for the image.
func (a *app) foreseeEngine(ctx context.Context, f *forecast, runtime string, names ...string) {
	engine, err := a.connect(ctx, runtime, a.logger(false))
	if f.miss(err) {
		return
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	facts, proven, err := engine.Look(ctx)
	var wall *sandbox.WallError
	if err != nil && !errors.As(err, &wall) && !errors.Is(err, docker.ErrNoEngine) {
		err = noAgent(err)
	}
	if f.miss(noEngine(ctx, err)) {
		return
	}
	text := "its limits are known to bite"
	if !proven {
		text = "a run first lets a box run into its limits, about a second"
	}
	f.fact("engine", "Docker %s at %s, on %s; %s", plain(facts.Version), plain(facts.Host), plain(facts.System), text)
	for _, name := range names {
		if text, err := imageText(ctx, engine, name); !f.miss(err) {
			f.fact("image", "%s: %s", plain(name), text)
		}
	}
}

// imageText says whether an image is here, and what a run does if not.
func imageText(ctx context.Context, store images.Store, name string) (string, error) {
	ref, absent := name, "not here; a run pulls it first"
	if recipe, ours := images.Info(name); ours {
		ref, absent = recipe.Tag, "not here; a run builds it first (`glovebox image build "+name+"`)"
	}
	img, err := store.Find(ctx, ref)
	switch {
	case errors.Is(err, images.ErrNotFound):
		return absent, nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("here, %s, %s", plain(shortID(img.ID)), units.HumanSize(float64(img.Size))), nil
}

// foreseeBatch says what stands in the way of a batch whose specs are all
// right. Each model, engine and image is looked at once.
func (a *app) foreseeBatch(ctx context.Context, o batchOrder) *forecast {
	f := &forecast{}
	looked := map[string]bool{}
	once := func(words ...any) bool {
		key := fmt.Sprintln(words...)
		defer func() { looked[key] = true }()
		return !looked[key]
	}
	for _, t := range o.tasks {
		if once("model", modelKey(t.order)) {
			_, err := provider.Quote(t.order.model, a.env, a.asked(t.order))
			f.miss(err)
		}
		if _, _, err := checkProject(t.order.dir, a.env("HOME")); err != nil {
			f.miss(err)
		}
		f.miss(a.keys.check(t.order.model, t.order.dir))
	}
	for _, t := range o.tasks {
		if !once("engine", t.order.runtime) {
			continue
		}
		var names []string
		for _, other := range o.tasks {
			if other.order.runtime == t.order.runtime && once("image", t.order.runtime, other.order.image) {
				names = append(names, other.order.image)
			}
		}
		a.foreseeEngine(ctx, f, t.order.runtime, names...)
	}
	return f
}

// showForecast writes what was found out, and is the error that a run would end with.
func (a *app) showForecast(f *forecast, o order) error {
	if o.json {
		if err := a.printJSON(f, true); err != nil {
			return err
		}
	} else {
		a.printForecast(f)
	}
	if f.first != nil {
		return fail(f.first.Outcome, f.first.Hint, "no run would begin: %s", f.first)
	}
	return nil
}

func (a *app) printForecast(f *forecast) {
	for _, line := range f.Facts {
		a.printHanging(pad(line.Name, 10), line.Text)
	}
	for _, m := range f.Missing {
		a.printHanging(pad("missing", 10), m.Reason)
		a.printHanging(pad("", 10)+"hint: ", m.Hint)
	}
	switch {
	case f.Done:
		a.print("\nThe job is done already; a run would start nothing.")
	case f.Begins:
		a.print("\nA run would begin. Nothing was sent, started or created.")
	default:
		a.print("\nNo run would begin. Nothing was sent, started or created.")
	}
}
