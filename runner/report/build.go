package report

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/ledger"
)

// What a report keeps of a job, however long it is: at most so much, the
// latest. The rest is counted in [LeftOut].
const (
	sessionsKept = 1000
	turnsKept    = 20_000
	verdictsKept = 5000
	notesKept    = 500
	commitsKept  = 1000
	textsKept    = 6 << 20 // bytes of arguments, results and outputs in sessions
)

// Options are what a [Builder] is made with. The zero value is good.
type Options struct {
	Redact func(string) string // removes keys from texts; nil changes nothing
	Texts  int                 // bytes kept of texts in sessions; 0: 6 MiB
	Share  int                 // how many jobs the report is of: each keeps its share of what one alone may; 0 is 1
}

// keep is the share of a bound on what a report of one job keeps.
func (o Options) keep(most int) int { return max(most/max(o.Share, 1), min(most, leastKept)) }

// leastKept is what a job keeps of anything, however many jobs share the report.
const leastKept = 50

// Builder makes a [Job] of the events of its ledger. It is for one goroutine
// at a time, and what it needs of memory is bounded.
type Builder struct {
	o      Options
	clean  cleaner
	texts  *shelf
	totals ledger.Totals
	out    LeftOut

	sessions  []*Session
	session   *Session  // under way
	works     *progress // of the feature it works on
	turn      *Turn
	calls     map[int]*Call // of the session under way, by number
	turns     []*Session    // of each turn that is kept, the oldest first
	verdicts  []*Session    // the same of verifications
	features  map[string]*progress
	commits   []Commit
	notes     []Note
	processes []Process
	job       *ledger.JobInfo
	list      ledger.ListInfo
	pictures  *recordings
	proof     *Proof
	branch    *Branch
	handover  *Handover
}

// progress is what the ledger says about a feature.
type progress struct {
	proof, green, red *Verdict // the last one, the last one that passed, the last one before the work
	commit, why       string
	disproved         string // how it failed in the last proof of everything, if it has not passed since
	sessions          int
	tokens            Tokens
	spent             decimal.Decimal
	marks             []Note
}

// NewBuilder returns a Builder of a job without events.
func NewBuilder(o Options) *Builder {
	if o.Texts == 0 {
		o.Texts = o.keep(textsKept)
	}
	return &Builder{o: o, clean: cleaner{o.Redact}, texts: &shelf{room: o.Texts}, calls: map[int]*Call{},
		features: map[string]*progress{}, pictures: newRecordings()}
}

// Add takes up e, which must be the event after the last one added.
func (b *Builder) Add(e ledger.Event) {
	before := b.totals.Worked
	b.totals.Add(e)
	b.pictures.clock(before, b.totals.Worked)
	switch e.Kind {
	case ledger.JobStart:
		b.begin(e)
	case ledger.JobEnd:
		b.end(e)
	case ledger.SessionStart:
		b.openSession(e)
	case ledger.SessionEnd:
		b.closeSession(e)
	case ledger.Request, ledger.Reply, ledger.Failed, ledger.Settled:
		b.money(e)
	case ledger.CallStart, ledger.CallEnd:
		b.call(e)
	case ledger.BoxStart:
		b.pictures.box(e.Box)
	case ledger.VerifyEnd:
		b.verdict(e)
	case ledger.Listed, ledger.Approved:
		b.listed(e)
	case ledger.CommitEnd:
		b.commit(e)
	case ledger.Passed, ledger.Blocked, ledger.Unpassed:
		b.decide(e)
	case ledger.Proved:
		b.prove(e)
	case ledger.Branched:
		b.branchOff(e)
	case ledger.HandedOver:
		b.handOver(e)
	case ledger.VerifyStart, ledger.CommitStart, ledger.Lent, ledger.GivenBack:
	default: // notes, waiting, and what a later version has to say
		b.note(e)
	}
	if b.session != nil {
		b.session.Seconds = e.Time.Sub(b.session.Begun).Seconds()
	}
}

func (b *Builder) begin(e ledger.Event) {
	b.session, b.turn = nil, nil // of a process that was killed
	b.pictures.process(e.Time)
	if e.Job == nil {
		return
	}
	b.job = e.Job
	b.processes = latest(append(b.processes, Process{Begun: e.Time, Model: b.clean.line(e.Job.Model),
		Budget: b.clean.line(e.Job.Budget), Glovebox: b.clean.line(e.Job.Version)}), b.o.keep(notesKept), nil)
}

func (b *Builder) end(e ledger.Event) {
	b.session, b.turn = nil, nil
	if n := len(b.processes); n > 0 && e.End != nil {
		b.processes[n-1].Outcome, b.processes[n-1].Reason = b.clean.line(e.End.Outcome), b.clean.line(e.End.Reason)
	}
}

func (b *Builder) openSession(e ledger.Event) {
	s := &Session{Number: e.Session, Feature: b.clean.line(e.Feature), Begun: e.Time, Turns: []*Turn{}, Verdicts: []*Verdict{}}
	if e.Started != nil {
		s.Kind, s.Attempt = b.clean.line(e.Started.Kind), e.Started.Attempt
	}
	b.session, b.turn, b.works = s, nil, nil
	clear(b.calls)
	b.sessions = latest(append(b.sessions, s), b.o.keep(sessionsKept), &b.out.Sessions)
	b.pictures.session(e.Feature)
	if e.Feature != "" {
		b.works = b.feature(e.Feature)
		b.works.sessions++
	}
}

func (b *Builder) closeSession(e ledger.Event) {
	s := b.session
	if s == nil || e.Ended == nil {
		return
	}
	s.Ending, s.Status = b.clean.line(e.Ended.Ending), b.clean.line(e.Ended.Status)
	s.Note, s.Limit, s.Error = b.clean.text(e.Ended.Note, textMax), b.clean.line(e.Ended.Limit), b.clean.text(e.Text, textMax)
	s.Seconds = e.Time.Sub(s.Begun).Seconds()
	b.session, b.turn = nil, nil
	b.pictures.endSession()
}

// money takes up a request or what came of it. What a crash has lost is in the
// job's sums alone.
func (b *Builder) money(e ledger.Event) {
	b.pictures.spent(b.totals.Settled.Add(b.totals.Lost))
	s := b.session
	if s == nil || e.Kind == ledger.Settled {
		return
	}
	if e.Kind == ledger.Request {
		b.pictures.request()
		b.newTurn(e)
		return
	}
	if b.turn == nil {
		b.newTurn(e)
	}
	t := b.turn
	if e.Money != nil {
		t.Spent = t.Spent.Add(e.Money.Spent)
		s.Spent = s.Spent.Add(e.Money.Spent)
	}
	if e.Kind == ledger.Failed {
		t.Error = b.clean.text(e.Text, textMax)
	}
	if a := e.Answer; a != nil {
		t.Model, t.Finish, t.Seconds = b.clean.line(a.Model), b.clean.line(a.Finish), a.Took.Seconds()
		t.Text = b.clean.text(a.Text, textMax)
		b.texts.put(len(t.Text), func() { t.Text = "" })
		t.Tokens = Tokens{Prompt: max(a.Prompt, 0), Completion: max(a.Completion, 0), Cached: max(a.Cached, 0)}
		s.Tokens.add(t.Tokens)
	}
	if b.works != nil {
		p := b.works
		p.tokens.add(t.Tokens)
		if e.Money != nil {
			p.spent = p.spent.Add(e.Money.Spent)
		}
	}
	b.pictures.replied(e.Kind == ledger.Failed)
}

func (b *Builder) newTurn(e ledger.Event) {
	b.turn = &Turn{Number: e.Turn, Time: e.Time, Calls: []*Call{}}
	b.session.TurnCount++
	b.session.Turns = append(b.session.Turns, b.turn)
	b.turns = append(b.turns, b.session)
	if len(b.turns) > b.o.keep(turnsKept) {
		b.turns[0].Turns[0] = nil // or its memory would stay
		b.turns[0].Turns = b.turns[0].Turns[1:]
		b.turns = b.turns[1:]
		b.out.Turns++
	}
}

func (b *Builder) call(e ledger.Event) {
	if c := e.Call; c != nil && b.session != nil {
		call := &Call{Number: c.Number, Tool: b.clean.line(c.Tool), Summary: b.clean.line(c.Summary), Args: b.clean.text(c.Args, argsMax)}
		b.session.CallCount++
		b.calls[c.Number] = call
		if b.turn != nil {
			b.turn.Calls = append(b.turn.Calls, call)
		}
	}
	r := e.Result
	if r == nil || b.calls[r.Number] == nil {
		return
	}
	call := b.calls[r.Number]
	delete(b.calls, r.Number)
	call.Done, call.OK, call.Seconds = true, r.OK, r.Took.Seconds()
	call.Result, call.Text = b.clean.line(r.Summary), b.clean.text(r.Text, textMax)
	call.Box, call.Limits = b.clean.line(r.Box), b.clean.limits(r.Limits)
	b.texts.put(len(call.Args)+len(call.Text), func() { call.Args, call.Text, call.LeftOut = "", "", true })
	b.pictures.called(r.Took, r.OK)
}

func (b *Builder) verdict(e ledger.Event) {
	v := e.Verify
	if v == nil {
		return
	}
	verdict := Verdict{Time: e.Time, Session: e.Session, Feature: b.clean.line(e.Feature), Why: b.clean.line(v.Why),
		Passed: v.Passed, Exit: v.Exit, How: b.clean.line(e.Text), Output: b.clean.text(v.Output, outputMax),
		Seconds: v.Took.Seconds(), Box: b.clean.line(v.Box), Tree: b.clean.line(v.Tree), Limits: b.clean.limits(v.Limits)}
	p := b.feature(e.Feature)
	switch verdict.Why {
	case "red-check":
		p.red = &verdict
	case "without-work": // it says nothing of the work
	default:
		p.proof = &verdict
		if verdict.Passed {
			p.green = &verdict
		}
		b.pictures.verdict(e.Feature, v.Passed)
	}
	if b.session == nil || e.Session != b.session.Number {
		return
	}
	own := verdict // whose output may go, while the feature's stays
	b.session.Verdicts = append(b.session.Verdicts, &own)
	b.verdicts = append(b.verdicts, b.session)
	if len(b.verdicts) > b.o.keep(verdictsKept) {
		b.verdicts[0].Verdicts[0] = nil
		b.verdicts[0].Verdicts = b.verdicts[0].Verdicts[1:]
		b.verdicts = b.verdicts[1:]
		b.out.Verdicts++
	}
	b.texts.put(len(own.Output), func() { own.Output = "" })
}

func (b *Builder) listed(e ledger.Event) {
	if e.List == nil {
		return
	}
	b.list = *e.List
	if e.Kind == ledger.Listed {
		b.list.How = ""
	}
}

func (b *Builder) commit(e ledger.Event) {
	if e.Commit == nil {
		return
	}
	c := Commit{Time: e.Time, Hash: b.clean.line(e.Commit.Hash), Tree: b.clean.line(e.Commit.Tree), Message: b.clean.line(e.Commit.Message)}
	if n := len(b.commits); n == 0 || b.commits[n-1].Hash != c.Hash {
		b.commits = latest(append(b.commits, c), b.o.keep(commitsKept), nil)
	}
}

func (b *Builder) decide(e ledger.Event) {
	p := b.feature(e.Feature)
	p.why = b.clean.text(e.Text, textMax)
	if e.Kind == ledger.Passed {
		p.why, p.disproved = "", ""
		if e.Commit != nil {
			p.commit = b.clean.line(e.Commit.Hash)
		}
		return
	}
	b.mark(p, e)
}

// note keeps what a person should know. What is about a feature stands with it, too.
func (b *Builder) note(e ledger.Event) {
	text := e.Text
	if text == "" && e.Until == nil && e.Feature == "" {
		return // a kind of a later version, which says it in its own way
	}
	if e.Until != nil {
		text = "until " + e.Until.UTC().Format(time.DateTime) + " UTC: " + text
	}
	if e.Feature != "" {
		b.mark(b.feature(e.Feature), e)
		text = e.Feature + ": " + text
	}
	b.notes = latest(append(b.notes, Note{Time: e.Time, Session: e.Session, Kind: b.clean.line(string(e.Kind)), Text: b.clean.text(text, textMax)}),
		b.o.keep(notesKept), &b.out.Notes)
}

func (b *Builder) mark(p *progress, e ledger.Event) {
	const most = 20
	p.marks = latest(append(p.marks, Note{Time: e.Time, Session: e.Session, Kind: b.clean.line(string(e.Kind)), Text: b.clean.text(e.Text, textMax)}), most, nil)
}

func (b *Builder) feature(id string) *progress {
	p := b.features[id]
	if p == nil {
		p = &progress{}
		b.features[id] = p
	}
	return p
}

func (t *Tokens) add(more Tokens) {
	t.Prompt += more.Prompt
	t.Completion += more.Completion
	t.Cached += more.Cached
}

// latest keeps the last most of list and counts what goes.
func latest[T any](list []T, most int, gone *int) []T {
	over := len(list) - most
	if over <= 0 {
		return list
	}
	if gone != nil {
		*gone += over
	}
	return list[over:]
}

// shelf holds texts up to a size in bytes; the oldest make room for new ones.
type shelf struct {
	room, dropped int
	texts         []shelved
}

type shelved struct {
	size int
	drop func()
}

func (s *shelf) put(size int, drop func()) {
	if size == 0 {
		return
	}
	s.texts, s.room = append(s.texts, shelved{size, drop}), s.room-size
	for s.room < 0 && len(s.texts) > 0 {
		s.texts[0].drop()
		s.room += s.texts[0].size
		s.texts[0] = shelved{}
		s.texts = s.texts[1:]
		s.dropped++
	}
}
