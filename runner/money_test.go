package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/provider"
)

// biller is a provider that bills, and does all that providers do. What it
// bills for a request is what the request may cost at its price, at most.
type biller struct {
	t      *rapid.T
	info   model.Info
	cap    *decimal.Decimal // in force
	billed decimal.Decimal  // really
	bills  map[string]decimal.Decimal
	late   map[string]bool // its record is not there yet
	crash  func()          // the process dies now
}

// bill takes money. The cap may have been lowered below what was billed before,
// but nothing more is billed above it.
func (b *biller) bill(id string, amount decimal.Decimal) {
	b.bills[id] = amount
	if b.billed = b.billed.Add(amount); amount.IsPositive() && b.billed.GreaterThan(*b.cap) {
		b.t.Fatalf("%s USD billed over a cap of %s", b.billed, b.cap)
	}
}

func (b *biller) Reply(_ context.Context, r model.Request) (model.Reply, error) {
	id := fmt.Sprint("gen-", len(b.bills))
	u := model.Usage{Known: true, Prompt: rapid.IntRange(0, model.PromptBound(r)).Draw(b.t, "prompt"),
		Completion: rapid.IntRange(0, r.MaxTokens).Draw(b.t, "completion")}
	u.CacheWrite = rapid.IntRange(0, u.Prompt).Draw(b.t, "written")
	u.Cached = rapid.IntRange(0, u.Prompt-u.CacheWrite).Draw(b.t, "cached")
	cost := b.info.Price.Cost(u)
	b.late[id] = rapid.Bool().Draw(b.t, "late")
	what := rapid.SampledFrom([]string{"reply", "reply", "no usage", "cut", "timeout", "refused", "limited", "unreachable",
		"other model", "cancelled", "crash before", "crash after"}).Draw(b.t, "answer")
	switch what {
	case "refused", "limited", "unreachable", "crash before":
	default:
		b.bill(id, cost)
	}
	if b.info.CostReported {
		u.Cost = decimal.NewNullDecimal(cost)
	}
	reply := model.Reply{ID: id, Model: "m", Usage: u, Finish: model.FinishStop}
	switch what {
	case "no usage":
		reply.Usage = model.Usage{}
	case "cut":
		return model.Reply{}, &model.Error{Fault: model.FaultServer, Status: 200, ID: id}
	case "timeout":
		return model.Reply{}, &model.Error{Fault: model.FaultServer, Status: 504, ID: id}
	case "refused":
		return model.Reply{}, &model.Error{Fault: model.FaultKey, Status: 401}
	case "limited":
		return model.Reply{}, &model.Error{Fault: model.FaultRateLimit, Status: 429}
	case "unreachable":
		return model.Reply{}, &model.Error{Fault: model.FaultUnreachable}
	case "other model":
		reply.Model = "another"
	case "cancelled":
		return model.Reply{}, &model.Error{Fault: model.FaultCancelled, ID: id, Err: context.Canceled}
	case "crash before", "crash after":
		b.crash()
	}
	return reply, nil
}

// Cost is the provider's record, which may be late.
func (b *biller) Cost(_ context.Context, id string) (decimal.Decimal, error) {
	if b.late[id] {
		b.late[id] = rapid.Bool().Draw(b.t, "still late")
		return decimal.Zero, &model.Error{Fault: model.FaultNotFound, Status: 404}
	}
	return b.bills[id], nil
}

// I9 on a real ledger: whatever a provider does, wherever processes die and
// whatever caps they are given, no request leaves that could exceed the cap in
// force, and the ledger never shows less than was billed.
func TestI9NeverMoreThanTheCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "glovebox-test-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		amount := func(name string) decimal.Decimal { return decimal.New(rapid.Int64Range(0, 40_000).Draw(t, name), -9) }
		info := model.Info{ID: "m", Accept: []string{"m"}, PriceSource: "a test", CostReported: rapid.Bool().Draw(t, "reports"),
			Price: model.Price{Prompt: amount("in"), Completion: amount("out"),
				CacheRead: decimal.NewNullDecimal(amount("read")), CacheWrite: decimal.NewNullDecimal(amount("write")),
				Steps: []model.Step{{Above: 2000, Price: model.Price{Prompt: amount("long in"), Completion: amount("long out")}}}}}
		limit := decimal.Zero
		provider := &biller{t: t, info: info, cap: &limit, bills: map[string]decimal.Decimal{}, late: map[string]bool{}}
		for range rapid.IntRange(1, 4).Draw(t, "processes") {
			j := moneyJob(t, root)
			j.o.KeepBudget = rapid.Bool().Draw(t, "no flag")
			j.o.Budget = decimal.New(rapid.Int64Range(0, 3_000).Draw(t, "cap"), -4)
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			before := limit
			must(j.keepBudget())
			if j.o.KeepBudget && j.ledger.Totals().Job != nil && !j.o.Budget.Equal(before) {
				t.Fatalf("without the flag the cap went from %s to %s", before, j.o.Budget)
			}
			limit = j.o.Budget
			must(j.record(ledger.Event{Kind: ledger.JobStart, Job: j.info()}))
			dead := false
			provider.crash = func() {
				dead = true
				j.ledger.Close()
				if rapid.Bool().Draw(t, "torn") {
					must(tear(root))
				}
			}
			j.o.Model, j.o.ModelInfo = provider, info
			j.askThrough()
			for range rapid.IntRange(1, 6).Draw(t, "requests") {
				r := model.Request{MaxTokens: rapid.IntRange(1, 16384).Draw(t, "max"),
					Messages: []model.Message{{Role: model.User, Content: strings.Repeat("x", rapid.IntRange(0, 3000).Draw(t, "length"))}}}
				_, err := j.model.Reply(context.Background(), r)
				showsAll(t, root, provider.billed)
				if dead {
					break
				}
				var fault *model.Error
				if err != nil && !errors.As(err, &fault) {
					t.Fatal(err)
				}
			}
			j.ledger.Close()
		}
	})
}

// moneyJob is a process's job as far as its money goes.
func moneyJob(t rapid.TB, root *os.Root) *job {
	l, err := ledger.Open(root, ledgerFile, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	return &job{ledger: l, log: hclog.NewNullLogger(), state: &state{}, o: Options{
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	}}
}

// tear leaves a last line that was not written to its end.
func tear(root *os.Root) error {
	f, err := root.OpenFile(ledgerFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(`{"v":1,"seq":`)
	return errors.Join(err, f.Close())
}

// showsAll reads the ledger from the disk.
func showsAll(t *rapid.T, root *os.Root, billed decimal.Decimal) {
	events, err := ledger.Read(root, ledgerFile)
	if err != nil {
		t.Fatal(err)
	}
	if spent := ledger.Sums(events).Spent(); spent.LessThan(billed) {
		t.Fatalf("the ledger shows %s USD, and %s were billed", spent, billed)
	}
}

// stateRoot is a directory for a job's ledger.
func stateRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// events are those of the job that have a kind, as lines of the log.
func moneyLines(t *testing.T, root *os.Root, kinds ...ledger.Kind) (lines []string) {
	t.Helper()
	events, err := ledger.Read(root, ledgerFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if slices.Contains(kinds, e.Kind) {
			lines = append(lines, strings.Join(strings.Fields(ledger.Line(e))[4:], " "))
		}
	}
	return lines
}

// The cap is the job's: it stays over restarts unless another one is asked for,
// and that is noted, whether it is higher or lower.
func TestBudgetStaysTheJobs(t *testing.T) {
	root := stateRoot(t)
	for i, c := range []struct {
		flag string // "" is none
		want string
	}{{"2", "2"}, {"", "2"}, {"7.5", "7.5"}, {"", "7.5"}, {"0", "0"}, {"", "0"}} {
		j := moneyJob(t, root)
		j.o.KeepBudget, j.o.Budget = c.flag == "", price("5")
		if c.flag != "" {
			j.o.Budget = price(c.flag)
		}
		must(t, j.keepBudget())
		must(t, j.record(ledger.Event{Kind: ledger.JobStart, Job: j.info()}))
		if j.o.Budget.String() != c.want {
			t.Errorf("process %d has the cap %s, want %s", i, j.o.Budget, c.want)
		}
		must(t, j.ledger.Close())
	}
	want := []string{"note the budget is raised from 2 to 7.5 USD", "note the budget is lowered from 7.5 to 0 USD"}
	if got := moneyLines(t, root, ledger.Note); !slices.Equal(got, want) {
		t.Errorf("noted %q", got)
	}
}

// Each session is told once that 80 and 95 % of the budget are used, in its
// next result.
func TestBudgetNotices(t *testing.T) {
	j := moneyJob(t, stateRoot(t))
	defer j.ledger.Close()
	j.o.Budget = price("1")
	s := &session{job: j}
	for _, c := range []struct{ spend, told string }{
		{"0.79", ""}, {"0.01", "[80 % of the budget"}, {"0.1", ""}, {"0.05", "[95 % of the budget"}, {"0.05", ""},
	} {
		must(t, j.record(ledger.Event{Kind: ledger.Request, Money: &ledger.Money{Reserved: price(c.spend)}}))
		must(t, j.record(ledger.Event{Kind: ledger.Reply, Money: &ledger.Money{Spent: price(c.spend)}}))
		if got := s.budgetNotice(); !strings.HasPrefix(got, c.told) || got != "" && c.told == "" {
			t.Errorf("after %s more: %q", c.spend, got)
		}
		if again := s.budgetNotice(); again != "" {
			t.Errorf("told twice: %q", again)
		}
	}
	if got := (&session{job: j}).budgetNotice(); !strings.HasPrefix(got, "[95 %") {
		t.Errorf("a new session is told %q", got)
	}
	j.o.Budget = price("0")
	if got := (&session{job: j}).budgetNotice(); got != "" {
		t.Errorf("without a budget: %q", got)
	}
}

// paidModel is a cent for a token of a reply.
func paidModel() model.Info {
	return model.Info{ID: "m", Accept: []string{"m"}, PriceSource: "a test", CostReported: true,
		Price: model.Price{Completion: price("0.01")}}
}

// keeper answers what it is told to, and keeps records.
type keeper struct {
	replies []func() (model.Reply, error)
	costs   map[string]string
}

func (k *keeper) Reply(context.Context, model.Request) (model.Reply, error) {
	next := k.replies[0]
	k.replies = k.replies[1:]
	return next()
}

func (k *keeper) Cost(_ context.Context, id string) (decimal.Decimal, error) {
	if cost, ok := k.costs[id]; ok {
		return price(cost), nil
	}
	return decimal.Zero, errors.New("not yet")
}

func costs(usd string, tokens int) func() (model.Reply, error) {
	return func() (model.Reply, error) {
		return model.Reply{ID: "gen-ok", Model: "m", Usage: model.Usage{Known: true, Completion: tokens, Cost: decimal.NewNullDecimal(price(usd))}}, nil
	}
}

// The worst case of a cut answer stays booked until the provider's record is
// there, which may be in another process.
func TestCutAnswerIsSettledLater(t *testing.T) {
	root := stateRoot(t)
	cut := func() (model.Reply, error) {
		return model.Reply{}, &model.Error{Fault: model.FaultServer, Status: 200, ID: "gen-cut", Message: "cut off"}
	}
	k := &keeper{replies: []func() (model.Reply, error){cut, costs("0.01", 1), costs("0.02", 2)}}
	r := model.Request{MaxTokens: 100}
	first := moneyJob(t, root)
	first.o.Budget = price("5")
	first.o.Model, first.o.ModelInfo = k, paidModel()
	first.askThrough()
	if _, err := first.model.Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if got := first.ledger.Totals(); got.Spent().String() != "1.01" || got.Unsettled().String() != "1" {
		t.Errorf("spent %s, of it open %s", got.Spent(), got.Unsettled())
	}
	must(t, first.ledger.Close())
	k.costs = map[string]string{"gen-cut": "0.3"}
	second := moneyJob(t, root)
	defer second.ledger.Close()
	second.o.Budget = price("5")
	second.o.Model, second.o.ModelInfo = k, paidModel()
	second.askThrough()
	if _, err := second.model.Reply(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if got := second.ledger.Totals(); got.Spent().String() != "0.33" || len(got.Open) != 0 {
		t.Errorf("spent %s, open %v", got.Spent(), got.Open)
	}
	if got := moneyLines(t, root, ledger.Settled); !slices.Equal(got, []string{"- settled event 2 cost 0.3 USD"}) && !slices.Equal(got, []string{"settled event 2 cost 0.3 USD"}) {
		t.Errorf("%q", got)
	}
}

// That a provider bills another price than the known one is said once.
func TestDifferingCostsAreNotedOnce(t *testing.T) {
	root := stateRoot(t)
	k := &keeper{replies: []func() (model.Reply, error){costs("0.01", 1), costs("0.03", 2), costs("0.03", 2), costs("0.03", 2)}}
	for range 2 {
		j := moneyJob(t, root)
		j.o.Budget = price("50")
		j.o.Model, j.o.ModelInfo = k, paidModel()
		j.askThrough()
		for range 2 {
			if _, err := j.model.Reply(context.Background(), model.Request{MaxTokens: 100}); err != nil {
				t.Fatal(err)
			}
		}
		must(t, j.ledger.Close())
	}
	notes := moneyLines(t, root, ledger.Note)
	if len(notes) != 1 || !strings.Contains(notes[0], "reports 0.04 USD where the known price (a test) makes 0.03") {
		t.Errorf("%q", notes)
	}
}

// A daily limit is slept through with --wait, and the ledger says until when;
// without it the job ends and says when it can go on.
func TestDailyLimit(t *testing.T) {
	limited := func() (model.Reply, error) {
		return model.Reply{}, &model.Error{Fault: model.FaultDailyLimit, Status: 429, Message: "free-models-per-day"}
	}
	root := stateRoot(t)
	j := moneyJob(t, root)
	defer j.ledger.Close()
	j.o.Wait, j.o.Budget = true, price("5")
	j.o.Model, j.o.ModelInfo = &keeper{replies: []func() (model.Reply, error){limited, costs("0.01", 1)}}, paidModel()
	j.askThrough()
	if _, err := j.model.Reply(context.Background(), model.Request{MaxTokens: 1}); err != nil {
		t.Fatal(err)
	}
	if late := j.o.Now().Sub(time.Unix(0, 0).Add(24*time.Hour + time.Minute)); late < 0 || late > time.Minute {
		t.Errorf("it went on %s after the reset", late)
	}
	if got := moneyLines(t, root, ledger.Waiting); len(got) != 1 || !strings.Contains(got[0], "until Jan 2 ") || !strings.Contains(got[0], "free-models-per-day") {
		t.Errorf("%q", got)
	}
	_, err := limited()
	if e := ModelError(err); e.Outcome != RateLimit || !strings.Contains(e.Hint, "--wait") || !strings.Contains(e.Hint, " 00:01 UTC") {
		t.Errorf("%+v", e)
	}
}

// Ctrl-C ends a job's request within a second, wherever it stands.
func TestCancelEndsEveryWait(t *testing.T) {
	t.Parallel()
	const catalogue = `{"data":[{"id":"a/b","pricing":{"prompt":"0.000001","completion":"0.000001"}}]}`
	begin := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Generation-Id", "gen-1")
		io.WriteString(w, `data: {"model":"a/b","choices":[{"index":0,"delta":{"content":"Hel"}}]}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
	}
	for name, handle := range map[string]func(w http.ResponseWriter, r *http.Request, cancel func()){
		"before the first byte": func(_ http.ResponseWriter, r *http.Request, cancel func()) { cancel(); <-r.Context().Done() },
		"in the answer":         func(w http.ResponseWriter, r *http.Request, cancel func()) { begin(w); cancel(); <-r.Context().Done() },
		"waiting to try again": func(w http.ResponseWriter, _ *http.Request, cancel func()) {
			time.AfterFunc(50*time.Millisecond, cancel)
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"waiting for the reset": func(w http.ResponseWriter, _ *http.Request, cancel func()) {
			time.AfterFunc(50*time.Millisecond, cancel)
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"looking up a cost": func(w http.ResponseWriter, r *http.Request, cancel func()) {
			if r.Method == http.MethodGet {
				cancel()
				<-r.Context().Done()
				return
			}
			begin(w) // and the answer ends in the middle
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var cancelled time.Time
			stop := func() { cancelled = time.Now(); cancel() }
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/models") {
					io.WriteString(w, catalogue)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				handle(w, r, stop)
			}))
			defer s.Close()
			owner, release := context.WithCancel(context.Background())
			defer release()
			m, info, err := provider.Resolve(owner, "openrouter/a/b", func(string) string { return "sk-or-test" }, provider.Options{
				Wrap: func(next http.RoundTripper) http.RoundTripper { return detour{to: s.URL + "/v1", next: next} }})
			if err != nil {
				t.Fatal(err)
			}
			j := moneyJob(t, stateRoot(t))
			defer j.ledger.Close()
			j.o.Now, j.o.Sleep, j.o.Wait, j.o.Budget = nil, nil, true, price("5")
			j.o.Model, j.o.ModelInfo = m, info
			j.askThrough()
			_, err = j.model.Reply(ctx, model.Request{MaxTokens: 100, Messages: []model.Message{{Role: model.User, Content: "hi"}}})
			if took := time.Since(cancelled); !errors.Is(err, context.Canceled) || took > time.Second {
				t.Errorf("%v, %v after the cancelling", err, took)
			}
		})
	}
}

// failing answers once and fails then.
type failing struct{ replies int }

func (f *failing) Reply(_ context.Context, r model.Request) (model.Reply, error) {
	if f.replies++; f.replies > 1 {
		return model.Reply{}, &model.Error{Fault: model.FaultServer, Status: 529, Message: "overloaded"}
	}
	reply := says(bash("true"))
	reply.Model, reply.Finish, reply.Usage = "actor", model.FinishCalls, model.Usage{Known: true, Prompt: 1}
	return reply, nil
}

// A provider that fails session after session ends the job, and the limit is named.
func TestProviderErrorsEndTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := &failing{}
	w.o.Model = f
	w.o.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	e := w.ends(FailedRun)
	if !strings.Contains(e.Reason, "3 sessions in a row ended by a provider's error") || !strings.Contains(e.Error(), "overloaded") {
		t.Errorf("%v", e)
	}
	if want := 1 + 3*4; f.replies != want {
		t.Errorf("%d requests, want %d", f.replies, want)
	}
}
