package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model/modeltest"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// misbehaviour is a row of the table: what a server does, and what Glovebox
// does about it. The job is [errand]'s unless it says otherwise.
type misbehaviour struct {
	group, name string
	on          ask
	place       func(*modeltest.Server)
	want        want
}

// ask is who is asked, and with what.
type ask struct {
	wire      modeltest.Wire
	free      bool
	name      string // of the model; "" is by wire and free
	budget    string // "" is 5
	price     string // --price
	upstream  string // --provider
	words     bool   // --tools text
	impatient bool   // with a client that waits for milliseconds (no pins)
	interrupt int    // the request at which a person presses Ctrl-C; 0 is none
}

// want is what is expected of a row.
type want struct {
	requests int
	calls    int // executed in a box
	outcome  Outcome
	says     string // in what a person is told
	booked   booking
	unseen   bool // the server bills more than its price says and tells nobody: no client can notice
}

// booking is how what Glovebox booked compares with what the server billed.
type booking string

const (
	exactly booking = "exactly"
	more    booking = "more" // a worst case was booked, where nothing certain was told
	less    booking = "less" // the server bills more than its price says
)

// pwnedFile is made by calls that must never be executed.
const pwnedFile = "pwned"

// The whole errand: requests and calls of a job in which nothing goes wrong.
const (
	errandTurns = 4
	errandCalls = 4
)

// errand is a session of four turns with calls, after which the model says
// that it can't go on: the shortest job that has a first, a third and a last turn.
func errand() modeltest.Script {
	return modeltest.Turns(
		modeltest.Calls("bash", `{"command":"echo one > one"}`),
		modeltest.Calls("write", made("two"), "write", made("three")),
		modeltest.Calls("write", made("four")),
		modeltest.Calls("finish", `{"status":"blocked","note":"the errand is over"}`),
	)
}

func made(name string) string { return `{"path":"` + name + `","content":"` + name + `\n"}` }

// whole is how the errand ends when it ends by itself.
func whole(more int, b booking) want {
	return want{requests: errandTurns + more, calls: errandCalls, outcome: Incomplete, says: "the errand is over", booked: b}
}

// poisoned makes a reply's calls something that must never be executed.
func poisoned() modeltest.Fault {
	return modeltest.Poisoned("bash", `{"command":"echo `+pwnedFile+` >> `+pwnedFile+`"}`)
}

// The models of all servers. The dear one is what a server would rather sell.
const (
	paidID = "a/plain"
	freeID = "a/gift:free"
	dearID = "a/dear"
)

func dearPrice() modeltest.Price { return modeltest.PerMillion("15", "75") }

// sold is what a server of that kind sells, and under which name it is asked for.
func (a ask) sold() (asked string, models []modeltest.Model) {
	dear := modeltest.Model{ID: dearID, Price: dearPrice()}
	switch {
	case a.wire == modeltest.OpenRouter && a.free:
		return "openrouter/" + freeID, []modeltest.Model{{ID: freeID, Canonical: "a/gift-20260907"}, dear}
	case a.wire == modeltest.OpenRouter:
		return "openrouter/" + paidID, []modeltest.Model{{ID: paidID, Canonical: "a/plain-20260907", Price: modeltest.PerMillion("2", "10")}, dear}
	case a.wire == modeltest.OpenAI:
		p := modeltest.PerMillion("0.25", "2")
		p.CacheRead = decimal.RequireFromString("0.000000025")
		return "openai/gpt-5-mini", []modeltest.Model{{ID: "gpt-5-mini", Price: p}, {ID: "gpt-5-mini-2025-08-07", Price: p}, dear}
	case a.wire == modeltest.Anthropic:
		p := modeltest.PerMillion("3", "15")
		p.CacheRead, p.CacheWrite = decimal.RequireFromString("0.0000003"), decimal.RequireFromString("0.00000375")
		return "anthropic/claude-sonnet-4-6", []modeltest.Model{{ID: "claude-sonnet-4-6", Price: p}, dear}
	case a.price == "":
		return "ollama/qwen3:8b", []modeltest.Model{{ID: "qwen3:8b"}, dear}
	default:
		in, out, _ := strings.Cut(a.price, "/")
		return "custom/my-own", []modeltest.Model{{ID: "my-own", Price: modeltest.PerMillion(in, out)}, dear}
	}
}

// seen is what became of a row.
type seen struct {
	requests, calls int
	booked, billed  decimal.Decimal
	outcome         Outcome
	says            string
	waited          time.Duration
}

// misbehave runs a job against the row's server.
func misbehave(t *testing.T, m misbehaviour) (*modeltest.Server, *world, seen) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	name, models := m.on.sold()
	if m.on.name != "" {
		name = m.on.name
	}
	script := errand()
	s := modeltest.New(t, m.on.wire, func(r modeltest.Request) modeltest.Turn {
		if r.Number == m.on.interrupt {
			cancel()
		}
		return script(r)
	}, models...)
	m.place(s)
	w := newWorld(t, nil)
	w.o.Image = bareImage(t)
	w.o.Budget = price(first(m.on.budget, "5"))
	got := seen{outcome: Done}
	var mu sync.Mutex
	w.o.Sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		got.waited += d
		return ctx.Err()
	}
	err := m.on.resolve(t, w, s, name)
	if err == nil {
		_, err = Run(ctx, w.o)
	}
	var e *Error
	if errors.As(err, &e) {
		got.outcome, got.says = e.Outcome, e.Error()+"; "+e.Hint
	}
	got.requests, got.billed, got.booked = len(s.Exchanges()), s.Billed(), booked(t, w)
	got.calls = w.executed()
	return s, w, got
}

// bareImage has nothing but a shell: what it holds is found out in no time.
func bareImage(t *testing.T) Image {
	t.Helper()
	dir := filepath.Join(inventories(), "bare")
	must(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"sh", "cat", "head", "grep", "sed"} {
		program, err := exec.LookPath(name)
		must(t, err)
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	return Image{Ref: "bare", ID: "bare", Path: dir}
}

// resolve makes the world ask s, as the command would.
func (a ask) resolve(t *testing.T, w *world, s *modeltest.Server, name string) error {
	t.Helper()
	budget := w.o.Budget
	o := provider.Options{BaseURL: s.URL, Price: a.price, Budget: &budget, Version: "test"}
	if a.upstream != "" {
		o.Upstreams = []string{a.upstream}
	}
	if a.words {
		w.o.Tools = ToolsText
	}
	if a.wire == modeltest.OpenRouter { // of which only the real address is believed what it says of costs
		o.BaseURL, o.Wrap = "", func(next http.RoundTripper) http.RoundTripper { return detour{to: s.URL, next: next} }
	}
	m, info, err := provider.Resolve(untilEnd(t), name, func(string) string { return modeltest.Key }, o)
	if err != nil {
		return ModelError(err)
	}
	if a.impatient {
		c := openai.New(openai.Config{BaseURL: s.URL, Key: modeltest.Key, Model: info.ID,
			FirstByte: 150 * time.Millisecond, Idle: 150 * time.Millisecond})
		t.Cleanup(c.Close)
		m = c
	}
	w.o.Model, w.o.ModelName, w.o.ModelInfo = m, name, info
	return nil
}

// detour brings what is meant for OpenRouter to another address.
type detour struct {
	to   string
	next http.RoundTripper
}

func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	rest, ok := strings.CutPrefix(r.URL.String(), "https://openrouter.ai/api/v1")
	if !ok {
		return nil, fmt.Errorf("a request went to %s", r.URL)
	}
	r = r.Clone(r.Context())
	var err error
	if r.URL, err = url.Parse(d.to + rest); err != nil {
		return nil, err
	}
	r.Host = ""
	return d.next.RoundTrip(r)
}

// untilEnd is a context that ends with the test.
func untilEnd(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}

// maybe is a file of the project, "" if there is none.
func (w *world) maybe(name string) string {
	data, err := os.ReadFile(w.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Error(err)
	}
	return string(data)
}

// executed counts the calls that did something in a box.
func (w *world) executed() int {
	n := 0
	for _, e := range w.events {
		if e.Kind == ledger.CallEnd && e.Result.Box != "" && e.Result.OK {
			n++
		}
	}
	return n
}

// booked is what the job's ledger counts as spent, read anew from the disk.
func booked(t *testing.T, w *world) decimal.Decimal {
	t.Helper()
	f, err := os.Open(w.path(".glovebox/ledger.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return decimal.Zero
	}
	must(t, err)
	defer f.Close()
	var events []ledger.Event
	for r := ledger.NewReader(f, "ledger"); ; {
		e, err := r.Next()
		if err != nil {
			return ledger.Sums(events).Spent()
		}
		events = append(events, e)
	}
}

// checkRow is what holds on every row, whatever the server does.
func checkRow(t *testing.T, m misbehaviour, s *modeltest.Server, w *world, got seen) {
	t.Helper()
	if pwned := w.maybe(pwnedFile); pwned != "" {
		t.Errorf("a call that must never be executed was executed")
	}
	made := 0
	for _, name := range []string{"one", "two", "three", "four"} {
		if w.maybe(name) != "" {
			made++
		}
	}
	if made > got.calls {
		t.Errorf("%d calls are in the ledger, but %d left a file", got.calls, made)
	}
	if text := w.maybe(".glovebox/ledger.jsonl"); strings.Contains(text, modeltest.Key) {
		t.Error("the key is in the ledger")
	}
	for _, fault := range unauthorised(m.on, s) {
		t.Error("unauthorised: " + fault)
	}
	dearer := m.want.booked == less || m.want.says == paidAfterAll
	if !dearer && got.booked.LessThan(got.billed) {
		t.Errorf("booked %s, but billed were %s", got.booked, got.billed)
	}
	if (!dearer || m.want.unseen) && decimal.Max(got.booked, got.billed).GreaterThan(w.o.Budget) {
		t.Errorf("booked %s and billed %s with a budget of %s", got.booked, got.billed, w.o.Budget)
	}
	if dearer && !m.want.unseen && got.outcome != ModelRefused {
		t.Error("the job went on although the server bills more than its price says")
	}
	if live := w.engine.Live(); live != 0 {
		t.Errorf("%d boxes still run", live)
	}
}

// unauthorised are the faults of the requests that a server got: each must ask
// for the model that was chosen, leave nothing to choose, and bring the key to
// nobody else.
func unauthorised(a ask, s *modeltest.Server) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, r := range s.Strays() {
		fault("a request went elsewhere: %s, key: %v", r.Path, r.Header.Get("Authorization") != "")
	}
	name, _ := a.sold()
	_, asked, _ := strings.Cut(first(a.name, name), "/")
	for _, e := range s.Exchanges() {
		if e.Model != asked {
			fault("request %d asks for %q", e.Number, e.Model)
		}
		if strings.Contains(string(e.Body), modeltest.Key) {
			fault("request %d has the key in its body", e.Number)
		}
		if e.MaxTokens <= 0 {
			fault("request %d does not bound the reply", e.Number)
		}
		for _, field := range []string{"models", "route", "fallbacks", "preset", "web_search_options"} {
			if _, ok := e.Fields()[field]; ok {
				fault("request %d has %s", e.Number, field)
			}
		}
		if tier := string(e.Fields()["service_tier"]); tier != a.tier() {
			fault("request %d asks for the tier %q", e.Number, tier)
		}
		if a.wire == modeltest.OpenRouter && !a.impatient {
			faults = append(faults, unpinned(a, e)...)
		}
	}
	return faults
}

// tier is the service_tier that has the known price, "" where the field chooses
// another one.
func (a ask) tier() string {
	switch {
	case a.wire == modeltest.OpenAI:
		return `"default"`
	case a.wire == modeltest.Anthropic:
		return `"standard_only"`
	default:
		return ""
	}
}

// unpinned says what a request to OpenRouter leaves to choose.
func unpinned(a ask, e modeltest.Exchange) (faults []string) {
	var body struct {
		Provider struct {
			Fallbacks *bool  `json:"allow_fallbacks"`
			Require   bool   `json:"require_parameters"`
			Sort      string `json:"sort"`
			Only      []string
			MaxPrice  *struct {
				Prompt, Completion *decimal.Decimal
			} `json:"max_price"`
		} `json:"provider"`
		Plugins []struct {
			ID      string `json:"id"`
			Enabled bool   `json:"enabled"`
		} `json:"plugins"`
	}
	body.Plugins = nil
	if err := json.Unmarshal(e.Body, &body); err != nil {
		return []string{err.Error()}
	}
	fault := func(text string) { faults = append(faults, fmt.Sprintf("request %d: %s", e.Number, text)) }
	p := body.Provider
	if p.Fallbacks == nil || *p.Fallbacks {
		fault("fallbacks are allowed")
	}
	if sorted := a.upstream == "" && p.Sort == "price"; !p.Require || !sorted && !slices.Equal(p.Only, []string{a.upstream}) {
		fault("the endpoint is not pinned")
	}
	limit := decimal.NewFromInt(2)
	if a.free {
		limit = decimal.Zero
	}
	if p.MaxPrice == nil || p.MaxPrice.Prompt == nil || p.MaxPrice.Completion == nil || p.MaxPrice.Prompt.GreaterThan(limit) {
		fault("the price is not pinned")
	}
	off := map[string]bool{}
	for _, plugin := range body.Plugins {
		off[plugin.ID] = !plugin.Enabled
	}
	for _, plugin := range []string{
		"auto-router", "auto-beta-router", "pareto-router", "fusion", "web", "file-parser", "response-healing", "context-compression",
	} {
		if !off[plugin] {
			fault("the account's plugin " + plugin + " may be on")
		}
	}
	if e.Header.Get("X-OpenRouter-Metadata") != "enabled" || e.Header.Get("X-OpenRouter-Cache") != "false" {
		fault("metadata off, or the response cache on")
	}
	return faults
}

// A server that misbehaves in every way that is known: whatever it does, no
// request asks for another model, nothing of another model's reply is
// executed, and no more is billed than the budget allows. The table that it
// makes goes to the log, and to the file named by GLOVEBOX_MISBEHAVIOUR_TABLE.
func TestMisbehaviour(t *testing.T) {
	rows := misbehaviours()
	if n := len(rows); n < 120 {
		t.Errorf("only %d misbehaviours", n)
	}
	if testing.Short() {
		rows = oneOfEach(rows)
	}
	lines := make([]string, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i, m := range rows {
			t.Run(m.group+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				s, w, got := misbehave(t, m)
				checkRow(t, m, s, w, got)
				checkWant(t, m, got)
				lines[i] = line(m, got)
				if t.Failed() {
					t.Logf("said: %s\n%s", got.says, w.history())
				}
			})
		}
	})
	table := tableHead + strings.Join(lines, "")
	t.Log("\n" + table)
	if file := os.Getenv("GLOVEBOX_MISBEHAVIOUR_TABLE"); file != "" {
		must(t, os.WriteFile(filepath.Clean(file), []byte(table), 0o644))
	}
}

func checkWant(t *testing.T, m misbehaviour, got seen) {
	t.Helper()
	if got.requests != m.want.requests || got.calls != m.want.calls || got.outcome != m.want.outcome {
		t.Errorf("%d requests, %d calls, outcome %s; want %d, %d, %s", got.requests, got.calls, got.outcome,
			m.want.requests, m.want.calls, m.want.outcome)
	}
	if !strings.Contains(got.says, m.want.says) {
		t.Errorf("a person is told %q, which lacks %q", got.says, m.want.says)
	}
	if compared := compare(got); compared != m.want.booked {
		t.Errorf("booked %s, billed %s: that is %s, want %s", got.booked, got.billed, compared, m.want.booked)
	}
}

func compare(got seen) booking {
	switch got.booked.Cmp(got.billed) {
	case 0:
		return exactly
	case 1:
		return more
	default:
		return less
	}
}

// oneOfEach is the first row of each group.
func oneOfEach(rows []misbehaviour) (out []misbehaviour) {
	had := map[string]bool{}
	for _, m := range rows {
		if !had[m.group] {
			had[m.group] = true
			out = append(out, m)
		}
	}
	return out
}

const tableHead = "| asked | the server | requests | calls executed | billed USD | booked USD | outcome | exit |\n|---|---|---|---|---|---|---|---|\n"

func line(m misbehaviour, got seen) string {
	name, _ := m.on.sold()
	asked := first(m.on.name, name)
	if m.on.budget != "" {
		asked += ", budget " + m.on.budget
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %s | %s | %d |\n", asked, m.group+": "+m.name,
		got.requests, got.calls, got.billed.Round(6), got.booked.Round(6), got.outcome, got.outcome.ExitCode())
}
