package runner

import (
	"fmt"
	"slices"
	"time"

	"github.com/glovebox-run/glovebox/runner/model/modeltest"
)

// Those who are asked.
func paid() ask      { return ask{wire: modeltest.OpenRouter} }
func free() ask      { return ask{wire: modeltest.OpenRouter, free: true} }
func zero() ask      { return ask{wire: modeltest.OpenRouter, free: true, budget: "0"} }
func openAI() ask    { return ask{wire: modeltest.OpenAI} }
func ownServer() ask { return ask{wire: modeltest.Local} }
func custom() ask    { return ask{wire: modeltest.Local, price: "1/2"} }
func claude() ask    { return ask{wire: modeltest.Anthropic} }

// untold is how a reply is booked that did not tell what it cost.
func (a ask) untold() booking {
	if a.wire == modeltest.OpenRouter {
		return exactly
	}
	return more
}

func (a ask) budgeted(usd string) ask { a.budget = usd; return a }
func (a ask) named(name string) ask   { a.name = name; return a }

// impatient has a client that waits for milliseconds where others wait for minutes.
func impatient() ask { a := custom(); a.impatient = true; return a }

func interrupted(at int) ask { a := paid(); a.interrupt = at; return a }

// when is the place of a row's faults.
type when struct {
	from, to int
	name     string
}

func turn(n int) when        { return when{n, n, fmt.Sprintf(" (turn %d)", n)} }
func until(n int) when       { return when{1, n, fmt.Sprintf(" (%d times)", n)} }
func since(n int) when       { return when{n, 0, fmt.Sprintf(" (from turn %d on)", n)} }
func always() when           { return when{1, 0, " (always)"} }
func never(name string) when { return when{0, -1, name} }

// on gives a server the faults there.
func (w when) on(faults []modeltest.Fault) func(*modeltest.Server) {
	return func(s *modeltest.Server) {
		if w.to == 0 {
			s.From(w.from, faults...)
			return
		}
		for n := w.from; n <= w.to; n++ {
			s.On(n, faults...)
		}
	}
}

// rows collects a group of the table.
type rows struct {
	group string
	list  []misbehaviour
}

// row adds one: who is asked, when what goes wrong, and what is expected.
func (r *rows) row(a ask, w when, expect want, faults ...modeltest.Fault) {
	r.list = append(r.list, misbehaviour{group: r.group, name: named(faults) + w.name, on: a, place: w.on(faults), want: expect})
}

// named are faults for people: that a reply was poisoned is the test's own doing.
func named(faults []modeltest.Fault) string {
	return modeltest.Names(slices.DeleteFunc(slices.Clone(faults), func(f modeltest.Fault) bool { return f.Name == poisoned().Name }))
}

// catalogue adds one whose faults are the catalogue's.
func (r *rows) catalogue(a ask, expect want, faults ...modeltest.Fault) {
	r.list = append(r.list, misbehaviour{group: r.group, name: named(faults), on: a, want: expect,
		place: func(s *modeltest.Server) { s.Catalogue(faults...) }})
}

// selling adds one whose server sells something else than it should.
func (r *rows) selling(name string, a ask, expect want, m modeltest.Model) {
	r.list = append(r.list, misbehaviour{group: r.group, name: name, on: a, want: expect,
		place: func(s *modeltest.Server) { s.Sell(m) }})
}

// callsBefore is how many calls the errand makes before a turn.
func callsBefore(turn int) int { return []int{0, 0, 1, 3, errandCalls}[turn] }

// refusedAt is a job that ends at a turn because of who answered, or what it cost.
func refusedAt(turn int, says string, b booking) want {
	return want{requests: turn, calls: callsBefore(turn), outcome: ModelRefused, says: says, booked: b}
}

// failedAt is a job that ends at a turn because the provider does not go on.
func failedAt(turn, requests int, says string, b booking) want {
	return want{requests: requests, calls: callsBefore(turn), outcome: FailedRun, says: says, booked: b}
}

// again is a job whose session is ended at a turn, and which does the errand once more.
func again(turn, requests int, b booking) want {
	w := whole(requests, b)
	w.calls += callsBefore(turn)
	return w
}

// unseen is a server that bills more than it says, which no client can notice.
func unseen(w want) want { w.unseen = true; return w }

// nothing is a job that ends before its first request.
func nothing(o Outcome, says string) want { return want{outcome: o, says: says, booked: exactly} }

const (
	wrongModel   = "was executed" // nothing of it
	paidAfterAll = "is listed as free, but this reply cost"
	tooDear      = "more than the"
)

// misbehaviours are the rows of the table.
func misbehaviours() (all []misbehaviour) {
	for _, group := range [][]misbehaviour{
		whoAnswers(), whoFails(), whoAnswersInPart(), whoAnswersByName(), routed(),
		money(), records(), moneyLies(), catalogues(), budgets(),
		statuses(), waits(), false200s(), broken(), silences(), strange(), callShapes(), together(), anthropics(),
	} {
		all = append(all, group...)
	}
	return all
}

func whoAnswers() []misbehaviour {
	r := rows{group: "another model"}
	wrong := []modeltest.Fault{modeltest.WrongModel(dearID), poisoned()}
	for _, n := range []int{1, 3, 4} {
		r.row(paid(), turn(n), refusedAt(n, dearID, exactly), wrong...)
		r.row(free(), turn(n), refusedAt(n, wrongModel, exactly), wrong...)
		r.row(openAI(), turn(n), refusedAt(n, dearID, less), wrong...)
		r.row(custom(), turn(n), refusedAt(n, dearID, less), wrong...)
	}
	r.row(ownServer(), turn(1), refusedAt(1, dearID, less), wrong...)
	r.row(paid(), since(2), refusedAt(2, dearID, exactly), wrong...)
	r.row(paid(), turn(1), refusedAt(1, dearID, exactly), append(wrong, modeltest.OneDocument())...)
	r.row(openAI(), turn(3), refusedAt(3, dearID, less), append(wrong, modeltest.OneDocument())...)
	return r.list
}

// whoFails is another model whose answer fails: asking again would pay it again.
func whoFails() []misbehaviour {
	r := rows{group: "another model that fails"}
	for _, n := range []int{1, 3} {
		for _, failure := range []modeltest.Fault{
			modeltest.NoChoices(), modeltest.ErrorMidStream(0, 502), modeltest.ErrorMidStream(4, 429),
			modeltest.Finish("content_filter"), modeltest.Finish("news"), modeltest.CutBeforeFinish(), modeltest.Down(503),
		} {
			r.row(paid(), turn(n), refusedAt(n, dearID, exactly), modeltest.WrongModel(dearID), failure, poisoned())
		}
		r.row(paid(), turn(n), refusedAt(n, dearID, more), modeltest.WrongModel(dearID), modeltest.ErrorIn200(502))
		r.row(free(), turn(n), refusedAt(n, dearID, exactly), modeltest.WrongModel(dearID), modeltest.NoChoices(), poisoned())
		r.row(openAI(), turn(n), refusedAt(n, dearID, less), modeltest.WrongModel(dearID), modeltest.ErrorMidStream(3, 502), poisoned())
		r.row(claude(), turn(n), refusedAt(n, dearID, less), modeltest.WrongModel(dearID), modeltest.Finish("refusal"), poisoned())
		r.row(claude(), turn(n), refusedAt(n, dearID, less), modeltest.WrongModel(dearID), modeltest.Finish("pause_turn"), poisoned())
	}
	// Only the metadata beside the error tells of it.
	r.row(paid(), turn(2), refusedAt(2, dearID, exactly), modeltest.WrongAttempt(dearID), modeltest.ErrorMidStream(3, 502), poisoned())
	r.row(paid(), turn(1), refusedAt(1, dearID, exactly), modeltest.WrongAttempt(dearID), modeltest.Busy(time.Second))
	r.row(free(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Strategy("fallback"), modeltest.ErrorMidStream(0, 502))
	return r.list
}

func whoAnswersInPart() []misbehaviour {
	r := rows{group: "another model in part of a stream"}
	for _, n := range []int{1, 3} {
		r.row(paid(), turn(n), refusedAt(n, "then a/dear", exactly), modeltest.WrongModelMidStream(3, dearID), poisoned())
		r.row(free(), turn(n), refusedAt(n, "then a/dear", exactly), modeltest.WrongModelMidStream(3, dearID), poisoned())
		r.row(openAI(), turn(n), refusedAt(n, "then a/dear", exactly), modeltest.WrongModelMidStream(3, dearID), poisoned())
	}
	r.row(custom(), turn(4), refusedAt(4, "then a/dear", exactly), modeltest.WrongModelMidStream(2, dearID), poisoned())
	r.row(paid(), turn(1), refusedAt(1, "a/dear then a/plain", exactly), modeltest.WrongModelInOneChunk(0, dearID), poisoned())
	r.row(paid(), turn(2), refusedAt(2, "then a/dear", exactly), modeltest.WrongModelInOneChunk(2, dearID), poisoned())
	r.row(free(), turn(3), refusedAt(3, "then a/dear", exactly), modeltest.WrongModelInOneChunk(6, dearID), poisoned())
	return r.list
}

func whoAnswersByName() []misbehaviour {
	r := rows{group: "a name"}
	for _, name := range []string{
		"a/gift:paid", "A/gift:free", "a/gift:free ", "a/gift:free:nitro", "a/gift:free\n", "openrouter/free", "gift:free", "a/gift:free-2",
	} {
		r.row(free(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named(name), poisoned())
	}
	for _, name := range []string{"a/gift", "a/gift-20260907"} { // without the variant, which nothing else tells
		r.row(free(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named(name), modeltest.NoMetadata(), poisoned())
		r.row(free(), turn(3), refusedAt(3, wrongModel, exactly), modeltest.Named(name), modeltest.WrongEndpoint("a/gift-20260907"), poisoned())
	}
	r.row(free(), always(), whole(0, exactly), modeltest.Named("a/gift-20260907:free"))
	r.row(paid(), always(), whole(0, exactly), modeltest.Named("a/plain-20260907"))
	r.row(paid(), turn(2), whole(0, exactly), modeltest.Named("a/plain-20260907"))
	r.row(paid(), turn(3), refusedAt(3, wrongModel, exactly), modeltest.Named("a/plain:free"), poisoned())
	r.row(openAI(), always(), whole(0, exactly), modeltest.Named("gpt-5-mini-2025-08-07"))
	r.row(openAI(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named("gpt-5-mini-2027-01-01"), poisoned())
	r.row(openAI(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named("gpt-5-mini-high"), poisoned())
	r.row(ownServer(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named("qwen3:latest"), poisoned())
	r.row(paid(), turn(1), refusedAt(1, "a model without a name", exactly), modeltest.NoModel(), poisoned())
	r.row(custom(), turn(3), refusedAt(3, "a model without a name", exactly), modeltest.NoModel(), poisoned())
	return r.list
}

func routed() []misbehaviour {
	r := rows{group: "routing metadata"}
	r.row(paid(), always(), whole(0, exactly), modeltest.NoMetadata())
	r.row(paid(), always(), whole(0, exactly), modeltest.Strategy("alias"))
	r.row(free(), always(), whole(0, exactly), modeltest.Named("a/gift-20260907")) // the metadata has the variant
	for _, n := range []int{1, 3, 4} {
		r.row(paid(), turn(n), refusedAt(n, wrongModel, exactly), modeltest.WrongEndpoint(dearID), poisoned())
		r.row(free(), turn(n), refusedAt(n, wrongModel, exactly), modeltest.WrongEndpoint(dearID), poisoned())
	}
	for _, strategy := range []string{"fallback", "auto", "free", "latest", "pareto", "fusion", "bodybuilder", "new"} {
		r.row(paid(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Strategy(strategy), poisoned())
	}
	r.row(paid(), turn(2), refusedAt(2, wrongModel, exactly), modeltest.WrongAttempt(dearID), poisoned())
	r.row(free(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Requested(dearID), poisoned())
	return r.list
}

// records is OpenRouter's account of single replies, which is asked where a reply did not tell.
func records() []misbehaviour {
	r := rows{group: "the record of a reply"}
	r.record(paid(), "comes after two questions", 2, whole(0, exactly), modeltest.NoUsage())
	r.record(paid(), "never comes", 1<<30, whole(0, more), modeltest.NoUsage())
	r.record(paid(), "never comes", 1<<30, whole(1, more), modeltest.CutBeforeFinish())
	r.record(paid().budgeted("0.1"), "never comes", 1<<30, want{requests: 1, calls: 1, outcome: OverBudget, says: "--budget", booked: more}, modeltest.NoUsage())
	return r.list
}

// record adds a row whose server has the record of its first reply only after some questions for it.
func (r *rows) record(a ask, name string, after int, expect want, faults ...modeltest.Fault) {
	r.list = append(r.list, misbehaviour{group: r.group, name: named(faults) + ", it " + name, on: a, want: expect,
		place: func(s *modeltest.Server) { s.On(1, faults...); s.RecordsAfter(after) }})
}

func money() []misbehaviour {
	r := rows{group: "money"}
	r.row(paid(), turn(1), whole(0, exactly), modeltest.NoUsage())
	r.row(paid(), turn(4), whole(0, exactly), modeltest.NoUsage())
	r.row(openAI(), always(), whole(0, more), modeltest.NoUsage())
	r.row(custom(), turn(3), whole(0, more), modeltest.NoUsage())
	r.row(free(), always(), whole(0, exactly), modeltest.NoUsage())
	r.row(zero(), always(), whole(0, exactly), modeltest.NoUsage())
	r.row(paid(), always(), whole(0, exactly), modeltest.NoCost())
	r.row(paid(), turn(2), whole(0, exactly), modeltest.UsageNull())
	r.row(paid(), turn(1), whole(0, exactly), modeltest.UsageIs("0", "0"))
	r.row(paid(), turn(1), whole(0, exactly), modeltest.UsageIs("-1", "5"))
	r.row(openAI(), turn(3), whole(0, more), modeltest.UsageIs("1e30", "1"))
	r.row(openAI(), turn(3), whole(0, more), modeltest.UsageIs("1.5", "1"))
	r.row(paid(), turn(1), whole(0, exactly), modeltest.UsageIs(`"900"`, `"7"`))
	r.row(custom(), turn(1), whole(0, more), modeltest.UsageIs(`"many"`, "7"))
	r.row(openAI(), always(), whole(0, exactly), modeltest.UsageInEveryChunk())
	r.row(paid(), always(), whole(0, exactly), modeltest.Cached(500, 100))
	r.row(openAI(), always(), whole(0, exactly), modeltest.Cached(500, 0))
	r.row(paid(), always(), whole(0, exactly), modeltest.OwnKey("0.01"))
	return r.list
}

func moneyLies() []misbehaviour {
	r := rows{group: "a price that is none"}
	for _, n := range []int{1, 3, 4} {
		r.row(paid(), turn(n), refusedAt(n, tooDear, exactly), modeltest.Costs("0.9"), poisoned())
		r.row(free(), turn(n), refusedAt(n, paidAfterAll, exactly), modeltest.Costs("0.000001"), poisoned())
		r.row(zero(), turn(n), refusedAt(n, paidAfterAll, exactly), modeltest.Costs("0.01"), poisoned())
	}
	r.row(custom(), turn(1), refusedAt(1, tooDear, exactly), modeltest.Costs("0.9"), modeltest.Reports("0.9"), poisoned())
	r.row(ownServer(), turn(1), refusedAt(1, paidAfterAll, exactly), modeltest.Costs("0.9"), modeltest.Reports("0.9"), poisoned())
	r.row(custom(), always(), whole(0, exactly), modeltest.Reports("0"))
	r.row(paid(), turn(1), whole(0, exactly), modeltest.Reports("-5"))
	r.row(paid(), turn(1), whole(0, exactly), modeltest.Reports(`"1e999999999"`))
	r.row(paid(), turn(1), whole(0, exactly), modeltest.Reports(`"a lot"`))
	r.row(paid(), since(2), whole(0, exactly), modeltest.PriceIs(modeltest.PerMillion("6", "30")))
	r.row(paid(), turn(1), refusedAt(1, tooDear, exactly), modeltest.PriceIs(modeltest.PerMillion("2000", "10000")), poisoned())
	r.row(openAI(), always(), unseen(whole(0, less)), modeltest.PriceIs(modeltest.PerMillion("0.5", "4")))
	r.row(paid(), always(), whole(0, exactly), modeltest.Reports("0"))
	r.row(paid(), turn(2), whole(1, exactly), modeltest.CostSoFar("0.01"), modeltest.CutBeforeFinish(), poisoned())
	for _, a := range []ask{free(), zero(), ownServer()} {
		r.row(a, turn(3), refusedAt(3, paidAfterAll, exactly), modeltest.CostSoFar("0.01"), modeltest.CutBeforeFinish(), poisoned())
	}
	for _, a := range []ask{paid(), custom()} {
		r.row(a, turn(1), refusedAt(1, tooDear, exactly), modeltest.CostSoFar("0.9"), modeltest.CutBeforeFinish(), poisoned())
		r.row(a, turn(1), refusedAt(1, tooDear, exactly), modeltest.CostSoFar("0.9"), modeltest.ErrorMidStream(3, 502), poisoned())
	}
	r.row(openAI(), turn(3), refusedAt(3, "service tier", more), modeltest.Tier("priority"), modeltest.PriceIs(modeltest.PerMillion("0.45", "3.6")), poisoned())
	r.row(openAI(), turn(1), refusedAt(1, "service tier", more), modeltest.Tier("flex"), poisoned())
	r.row(paid(), turn(2), unseen(whole(1, less)), modeltest.Down(500), modeltest.BillsTheReply())
	return r.list
}

func catalogues() []misbehaviour {
	r := rows{group: "the catalogue"}
	for _, a := range []ask{paid(), openAI(), ownServer()} {
		r.catalogue(a, nothing(FailedRun, "server failed"), modeltest.Down(503))
	}
	r.catalogue(paid(), nothing(FailedRun, "key"), modeltest.Unauthorized())
	r.catalogue(paid(), nothing(RateLimit, ""), modeltest.Busy(time.Minute))
	r.catalogue(paid(), nothing(FailedRun, "can't be read"), modeltest.HTMLPage(200))
	r.catalogue(paid(), nothing(FailedRun, "not followed"), modeltest.Redirect(302))
	r.catalogue(openAI(), nothing(FailedRun, "not followed"), modeltest.Redirect(307))
	r.selling("a price of -1", paid(), nothing(ModelRefused, "no fixed price"), modeltest.Model{ID: paidID, Price: modeltest.PerMillion("-1000000", "-1000000")})
	r.selling("a price where it was free, budget 0", zero(), nothing(ModelRefused, "the budget is 0"), modeltest.Model{ID: freeID, Price: modeltest.PerMillion("0.01", "0")})
	r.selling("the next model of that name", paid().named("openrouter/a/plain:thinking"), nothing(FailedRun, "has no model"), modeltest.Model{ID: "a/plain-2"})
	r.selling("a router", paid().named("openrouter/openrouter/auto"), nothing(Usage, "chooses one"), modeltest.Model{ID: "openrouter/auto"})
	return r.list
}

func budgets() []misbehaviour {
	r := rows{group: "the budget"}
	r.row(paid().budgeted("0.0001"), never("nothing"), nothing(OverBudget, "--budget"))
	r.row(paid().budgeted("0"), never("nothing"), nothing(ModelRefused, "the budget is 0"))
	r.row(paid().budgeted("0.1"), always(), whole(0, exactly), modeltest.NoUsage())
	r.row(paid().budgeted("0.25"), always(), failedAt(1, 4, "cut off", exactly), modeltest.CutBeforeFinish())
	r.row(openAI().budgeted("0.05"), always(), want{requests: 3, calls: 4, outcome: OverBudget, says: "--budget", booked: more}, modeltest.NoUsage())
	r.row(paid().budgeted("0.12"), since(2), want{requests: 3, calls: 1, outcome: OverBudget, says: "--budget", booked: more}, modeltest.Down(504), modeltest.BillsTheReply())
	return r.list
}

func statuses() []misbehaviour {
	r := rows{group: "an error status"}
	for _, n := range []int{1, 3} {
		r.row(paid(), turn(n), failedAt(n, n, "the key", exactly), modeltest.Unauthorized())
		r.row(paid(), turn(n), failedAt(n, n, "credits", exactly), modeltest.CreditsGone())
		r.row(openAI(), turn(n), failedAt(n, n, "credits", exactly), modeltest.QuotaGone())
		r.row(paid(), turn(n), failedAt(n, n, "was not found", exactly), modeltest.NoEndpoint())
		r.row(free(), turn(n), want{requests: n, calls: callsBefore(n), outcome: RateLimit, says: "today", booked: exactly}, modeltest.NoMoreToday(time.Now().Add(7*time.Hour)))
	}
	r.row(openAI(), turn(1), want{requests: 1, outcome: RateLimit, says: "today", booked: exactly}, modeltest.NoMoreToday(time.Now().Add(7*time.Hour)))
	r.row(paid(), turn(1), failedAt(1, 1, "the key", exactly), modeltest.Forbidden())
	r.row(paid(), turn(1), failedAt(1, 1, "credits", exactly), modeltest.KeyBudget())
	r.row(paid(), turn(1), failedAt(1, 1, "refuses the request", exactly), modeltest.Moderated())
	r.row(paid(), turn(1), failedAt(1, 1, "credits", exactly), modeltest.CreditsInFlight(0))
	r.row(paid(), turn(3), failedAt(3, 3, "credits", exactly), modeltest.CreditsTooSmall())
	for _, a := range []ask{paid(), openAI(), custom()} {
		r.row(a, turn(1), failedAt(1, 1, "refuses the request", exactly), modeltest.BadRequest())
	}
	r.row(paid(), turn(3), again(3, 3, exactly), modeltest.BadRequest())
	r.row(paid(), turn(3), again(3, 3, exactly), modeltest.TooLong())
	inWords := whole(1, exactly)
	inWords.calls-- // of two in a reply the first
	r.row(custom(), turn(1), inWords, modeltest.NoTools())
	r.row(custom(), turn(1), failedAt(1, 1, "refuses the request", exactly), modeltest.Status(413, ""))
	for _, status := range []int{301, 302, 307, 308} {
		r.row(paid(), turn(1), failedAt(1, 1, "not followed", exactly), modeltest.Redirect(status))
	}
	r.row(openAI(), turn(3), again(3, 3, exactly), modeltest.Redirect(307))
	return r.list
}

func waits() []misbehaviour {
	r := rows{group: "a failure that passes"}
	for _, status := range []int{500, 502, 503, 529} {
		r.row(paid(), turn(2), whole(1, exactly), modeltest.Down(status))
	}
	for _, status := range []int{408, 504, 524} {
		r.row(paid(), turn(2), whole(1, more), modeltest.Down(status), modeltest.BillsTheReply())
	}
	r.row(openAI(), until(3), whole(3, exactly), modeltest.Down(500))
	r.row(custom(), turn(1), whole(1, exactly), modeltest.HTMLPage(502))
	r.row(paid(), turn(1), whole(1, exactly), modeltest.Down(503), modeltest.ComeBack(20*time.Second))
	r.row(paid(), turn(1), whole(1, exactly), modeltest.CreditsInFlight(3*time.Second))
	r.row(free(), until(2), whole(2, exactly), modeltest.Busy(17*time.Second))
	r.row(free(), turn(3), whole(1, exactly), modeltest.BusyUpstream())
	r.row(free(), always(), want{requests: 6, outcome: RateLimit, booked: exactly}, modeltest.Busy(0))
	r.row(paid(), always(), want{requests: 6, outcome: RateLimit, booked: exactly}, modeltest.CreditsInFlight(3*time.Second))
	r.row(paid(), always(), failedAt(1, 4, "server failed", exactly), modeltest.Down(500))
	r.row(paid(), always(), failedAt(1, 4, "server failed", more), modeltest.Down(504), modeltest.BillsTheReply())
	return r.list
}

func false200s() []misbehaviour {
	r := rows{group: "a 200 that is none"}
	r.row(paid(), turn(1), whole(1, more), modeltest.ErrorIn200(502))
	r.row(paid(), turn(1), whole(1, more), modeltest.ErrorIn200(429))
	r.row(paid(), turn(1), failedAt(1, 1, "the key", more), modeltest.ErrorIn200(401))
	r.row(paid(), turn(3), failedAt(3, 3, "credits", more), modeltest.ErrorIn200(402))
	for _, a := range []ask{paid(), openAI(), custom()} {
		r.row(a, turn(2), whole(1, a.untold()), modeltest.ErrorMidStream(3, 502), poisoned())
	}
	r.row(paid(), turn(1), whole(1, exactly), modeltest.ErrorMidStream(5, 429), poisoned())
	r.row(paid(), turn(4), whole(1, exactly), modeltest.ErrorMidStream(2, 529))
	r.row(paid(), turn(1), whole(1, exactly), modeltest.ErrorWithoutFinish(4, 502), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.ErrorInChoice(4, 502), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.Finish("error"), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.NoChoices(), poisoned())
	r.row(custom(), turn(1), whole(1, more), modeltest.HTMLPage(200))
	r.row(custom(), always(), failedAt(1, 4, "server failed", more), modeltest.HTMLPage(200))
	return r.list
}

func broken() []misbehaviour {
	r := rows{group: "a stream that breaks"}
	r.row(paid(), turn(1), whole(1, more), modeltest.CutAfter(0), poisoned()) // before its id is known
	for _, n := range []int{1, 3, 5, 6} {
		r.row(paid(), turn(1), whole(1, exactly), modeltest.CutAfter(n), poisoned())
	}
	for _, a := range []ask{paid(), openAI(), custom()} {
		r.row(a, turn(3), whole(1, a.untold()), modeltest.CutBeforeFinish(), poisoned())
		r.row(a, turn(3), whole(1, a.untold()), modeltest.EndBeforeFinish(), poisoned())
	}
	r.row(free(), turn(1), whole(1, exactly), modeltest.CutBeforeFinish(), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.EndAfter(4), poisoned())
	r.row(paid(), turn(2), whole(1, exactly), modeltest.CutInEvent(6), poisoned())
	r.row(paid(), turn(2), whole(1, more), modeltest.HangUp(), poisoned())
	r.row(paid(), turn(2), whole(0, exactly), modeltest.EndAfterFinish())
	r.row(paid(), always(), failedAt(1, 4, "cut off", exactly), modeltest.CutBeforeFinish(), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.NotJSON(3), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.HugeEvent(9<<20), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.Endless(""), poisoned())
	r.row(custom(), turn(1), whole(1, more), modeltest.Bomb(40<<20), poisoned())
	return r.list
}

func silences() []misbehaviour {
	r := rows{group: "silence"}
	r.row(impatient(), turn(1), whole(1, more), modeltest.Mute())
	r.row(impatient(), turn(3), whole(1, more), modeltest.FallsSilent(2), poisoned())
	r.row(impatient(), turn(2), whole(1, more), modeltest.FallsSilent(5), poisoned())
	r.row(paid(), turn(1), whole(1, exactly), modeltest.CommentsOnly(500))
	for _, n := range []int{1, 3} {
		r.row(interrupted(n), turn(n), want{requests: n, calls: callsBefore(n), outcome: Interrupted, booked: more}, modeltest.FallsSilent(1), poisoned())
	}
	return r.list
}

func strange() []misbehaviour {
	r := rows{group: "strange but good"}
	r.row(paid(), always(), whole(0, exactly), modeltest.Comments(400))
	r.row(paid(), always(), whole(0, exactly), modeltest.CRLF())
	r.row(paid(), always(), whole(0, exactly), modeltest.NoBlankLines())
	r.row(paid(), always(), whole(0, exactly), modeltest.NoDone())
	r.row(openAI(), always(), whole(0, exactly), modeltest.OneDocument())
	r.row(custom(), always(), whole(0, exactly), modeltest.MediaType("text/plain"))
	r.row(custom(), always(), whole(0, exactly), modeltest.NoFinish())
	r.row(custom(), always(), whole(0, exactly), modeltest.Finish("stop"))
	r.row(custom(), always(), whole(0, exactly), modeltest.Finish("function_call"))
	return r.list
}

func callShapes() []misbehaviour {
	r := rows{group: "calls"}
	for _, f := range []modeltest.Fault{
		modeltest.NoIndex(), modeltest.IndexZero(), modeltest.NoID(), modeltest.SameID(), modeltest.NoType(),
		modeltest.NameAgain(""), modeltest.ArgumentsAsObject(), modeltest.NullContent(),
	} {
		r.row(custom(), always(), whole(0, exactly), f)
		r.row(custom(), always(), whole(0, exactly), f, modeltest.OneDocument())
	}
	less := whole(0, exactly)
	less.calls -= 2 // those of turn 2
	r.row(paid(), turn(2), less, modeltest.NoArguments(false))
	r.row(paid(), turn(2), less, modeltest.NoArguments(true))
	r.row(paid(), turn(2), less, modeltest.Tool("str_replace"))
	broken := whole(0, exactly)
	broken.calls-- // the last of turn 2
	r.row(paid(), turn(2), broken, modeltest.BrokenArguments())
	r.row(paid(), always(), whole(0, exactly), modeltest.Parameter("path", "file_path"))
	r.row(paid(), turn(2), whole(1, exactly), modeltest.Length(false))
	r.row(paid(), turn(2), whole(1, exactly), modeltest.Length(true))
	r.row(paid(), turn(2), whole(1, exactly), modeltest.Empty())
	for _, word := range []string{"MAX_TOKENS", "max_tokens", "max_output_tokens", "model_length"} {
		r.row(custom(), turn(2), whole(1, more), modeltest.NoUsage(), modeltest.Length(false), modeltest.Finish(word))
	}
	r.row(custom(), turn(2), whole(1, more), modeltest.NoUsage(), modeltest.Length(true))
	r.row(custom(), turn(1), failedAt(1, 1, "refuses the request", exactly), modeltest.Finish("content_filter"), poisoned())
	r.row(custom(), turn(1), failedAt(1, 1, "refuses the request", exactly), modeltest.Finish("news"), poisoned())
	r.row(custom(), turn(3), again(3, 3, exactly), modeltest.Finish("content_filter"), poisoned())
	r.row(custom(), turn(1), whole(1, exactly), modeltest.Finish("insufficient_system_resource"), poisoned())
	for _, form := range []string{"json", "function", "tag"} {
		r.row(custom(), turn(1), whole(0, exactly), modeltest.CallsAsText(form))
		r.row(ownServer(), turn(3), whole(0, exactly), modeltest.CallsAsText(form))
		r.row(paid(), turn(3), refusedAt(3, dearID, exactly), modeltest.WrongModel(dearID), poisoned(), modeltest.CallsAsText(form))
	}
	return r.list
}

// together are faults that meet.
func together() []misbehaviour {
	r := rows{group: "several at once"}
	r.row(paid(), turn(1), refusedAt(1, dearID, exactly), modeltest.WrongModel(dearID), modeltest.NoUsage(), poisoned())
	r.row(paid(), turn(3), refusedAt(3, dearID, exactly), modeltest.WrongModel(dearID), modeltest.ArgumentsAsObject(), modeltest.NoIndex(), poisoned())
	r.row(paid(), turn(3), refusedAt(3, dearID, exactly), modeltest.WrongModel(dearID), modeltest.Costs("0.9"), poisoned())
	r.row(free(), turn(1), refusedAt(1, dearID, exactly), modeltest.WrongModel(dearID), modeltest.Comments(200), modeltest.CRLF(), poisoned())
	r.row(paid(), turn(1), refusedAt(1, "\"a/dear\" answered", exactly), modeltest.WrongModel(dearID), modeltest.CutBeforeFinish(), poisoned())
	r.row(paid(), turn(1), refusedAt(1, dearID, exactly), modeltest.WrongModel(dearID), modeltest.EndAfterFinish(), poisoned())
	r.row(paid(), turn(1), refusedAt(1, dearID, exactly), modeltest.WrongModel(dearID), modeltest.Length(false), poisoned())
	r.row(custom(), always(), whole(0, exactly), modeltest.NoIndex(), modeltest.NoID(), modeltest.NoType(), modeltest.ArgumentsAsObject(), modeltest.NullContent(), modeltest.NoFinish(), modeltest.OneDocument())
	r.row(custom(), always(), whole(0, exactly), modeltest.IndexZero(), modeltest.NullContent(), modeltest.CRLF(), modeltest.NoDone(), modeltest.Comments(3))
	r.row(paid(), turn(2), whole(1, exactly), modeltest.NoUsage(), modeltest.Length(false))
	r.row(paid(), turn(1), whole(1, exactly), modeltest.PriceIs(modeltest.PerMillion("6", "30")), modeltest.CutBeforeFinish(), poisoned())
	r.list = append(r.list, misbehaviour{group: r.group, name: "429, 500, a cut stream, then another model", on: paid(), want: refusedAt4(),
		place: func(s *modeltest.Server) {
			s.On(1, modeltest.Busy(time.Second))
			s.On(2, modeltest.Down(500))
			s.On(3, modeltest.CutAfter(3), poisoned())
			s.On(4, modeltest.WrongModel(dearID), poisoned())
		}})
	return r.list
}

// refusedAt4 is a first turn of four attempts, of which another model answers the last.
func refusedAt4() want {
	return want{requests: 4, outcome: ModelRefused, says: dearID, booked: exactly}
}

// anthropics are the rows of the Messages API.
func anthropics() []misbehaviour {
	r := rows{group: "Messages API"}
	for _, n := range []int{1, 3, 4} {
		r.row(claude(), turn(n), refusedAt(n, dearID, less), modeltest.WrongModel(dearID), poisoned())
		r.row(claude(), turn(n), whole(1, more), modeltest.CutBeforeFinish(), poisoned())
	}
	r.row(claude(), always(), whole(0, exactly))
	r.row(claude(), always(), whole(0, exactly), modeltest.Cached(600, 200))
	r.row(claude(), always(), whole(0, exactly), modeltest.OneDocument())
	r.row(claude(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.Named("claude-sonnet-4-5"), poisoned())
	r.row(claude(), turn(1), refusedAt(1, wrongModel, exactly), modeltest.NoModel(), poisoned())
	r.row(claude(), turn(2), whole(0, more), modeltest.NoUsage())
	r.row(claude(), turn(2), whole(1, more), modeltest.CutAfter(5), poisoned())
	r.row(claude(), turn(2), whole(1, more), modeltest.EndAfter(5), poisoned())
	r.row(claude(), turn(2), whole(1, more), modeltest.CutInEvent(5), poisoned())
	r.row(claude(), turn(2), whole(1, more), modeltest.HangUp(), poisoned())
	r.row(claude(), turn(2), whole(1, more), modeltest.ErrorMidStream(4, 529), poisoned())
	r.row(claude(), turn(2), whole(1, more), modeltest.NotJSON(4), poisoned())
	r.row(claude(), turn(2), whole(1, exactly), modeltest.Down(529))
	r.row(claude(), turn(2), whole(1, exactly), modeltest.Down(500))
	r.row(claude(), turn(2), whole(1, more), modeltest.Down(504), modeltest.BillsTheReply())
	r.row(claude(), turn(2), whole(1, exactly), modeltest.Busy(20*time.Second))
	r.row(claude(), turn(1), failedAt(1, 1, "credits", exactly), modeltest.QuotaGone())
	r.row(claude(), turn(1), failedAt(1, 1, "credits", exactly), modeltest.CreditsGone())
	r.row(claude(), turn(1), failedAt(1, 1, "the key", exactly), modeltest.Unauthorized())
	r.row(claude(), turn(1), failedAt(1, 1, "not followed", exactly), modeltest.Redirect(307))
	r.row(claude(), turn(2), whole(1, exactly), modeltest.Length(false))
	r.row(claude(), turn(2), whole(1, more), modeltest.Endless(""), poisoned())
	return r.list
}
