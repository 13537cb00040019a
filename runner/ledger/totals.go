package ledger

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Totals are the sums over a ledger, kept up event by event. The zero value is
// the sum over none.
type Totals struct {
	Settled  decimal.Decimal // USD: what requests that were answered cost
	Lost     decimal.Decimal // USD: reserves of requests whose answer was never seen (a crash); they count as spent for ever
	Reserved decimal.Decimal // USD: the reserve of the request that is under way
	Open     []Unsettled     // what of Settled is a worst case that the provider's record may still replace, the oldest first; not to be changed

	// USD: what the provider says that replies cost and what their tokens cost at the known price, of those that have both
	Reported, Computed decimal.Decimal
	Deviates           bool // they have differed by more than is normal, once at least

	Prompt, Completion, Cached int // tokens, as the provider counted them
	Requests                   int // that left, answered or not

	Processes int // that worked on the job
	Sessions  int
	Turns     int // replies that came
	Calls     int
	Boxes     int
	Commits   int
	PutBack   []string // files of the host's that sessions had changed, each once; not to be changed

	Worked    time.Duration // sum over the processes, first event to last
	First     time.Time
	LastEvent time.Time
	Seq       int64      // of the last event
	Job       *JobInfo   // of the last process
	End       *EndInfo   // of the last process, nil while it runs or if it was killed
	Proof     *ProofInfo // the last one of everything
	Branch    *BranchInfo

	processStart  time.Time     // zero between processes
	waitStart     time.Time     // zero but after a Waiting event
	workedEarlier time.Duration // by the processes before
	lastCommit    string
}

// putBackMax bounds the names of files that were put back.
const putBackMax = 100

// Unsettled is the cost of a reply that did not say it: all of its reserve.
type Unsettled struct {
	Seq    int64  // of the event that booked it
	ID     string // the provider's, of the reply
	Booked decimal.Decimal
}

// Unsettled is the sum in USD of all worst cases that are still open.
func (t Totals) Unsettled() decimal.Decimal {
	sum := decimal.Zero
	for _, u := range t.Open {
		sum = sum.Add(u.Booked)
	}
	return sum
}

// Spent is what counts as spent in USD: all that was settled, and every
// reserve that was not.
func (t Totals) Spent() decimal.Decimal { return t.Settled.Add(t.Lost).Add(t.Reserved) }

// Sums adds up events.
func Sums(events []Event) Totals {
	var t Totals
	for _, e := range events {
		t.Add(e)
	}
	return t
}

// Add counts e, which must be the event after the last one added.
//
// A Request reserves, the next Reply or Failed settles it. Requests of a job
// follow one another, so a reserve that is still open when the next request
// or the next process begins was never settled: its answer got lost.
func (t *Totals) Add(e Event) {
	if t.First.IsZero() {
		t.First = e.Time
	}
	t.Seq, t.LastEvent = e.Seq, e.Time
	t.work(e)
	switch e.Kind {
	case JobStart:
		t.lose()
		t.Processes++
		t.Job, t.End = e.Job, nil
	case JobEnd:
		t.End = e.End
	case BoxStart:
		t.Boxes++
	case Proved:
		t.Proof = e.Proof
	case SessionStart:
		t.Sessions++
	case Request:
		t.lose()
		t.Requests++
		if e.Money != nil {
			t.Reserved = e.Money.Reserved
		}
	case Reply, Failed:
		t.settle(e)
	case Settled:
		t.resettle(e)
	case CallStart:
		t.Calls++
	case PutBack:
		if !slices.Contains(t.PutBack, e.Text) && len(t.PutBack) < putBackMax {
			t.PutBack = append(slices.Clip(t.PutBack), e.Text)
		}
	case CommitEnd:
		t.countCommit(e)
	case Branched:
		t.Branch = e.Branch
	}
}

// work counts the time from a process's first event to its last. Notes and the
// lending of the directory don't count by themselves: after a crash they are
// written by the next process before it says that it has begun, and like a
// proof of everything by `glovebox verify`.
// Nor does the time that was waited for a limit.
func (t *Totals) work(e Event) {
	if !t.waitStart.IsZero() && e.Kind != JobStart {
		t.processStart = t.processStart.Add(e.Time.Sub(t.waitStart))
	}
	t.waitStart = time.Time{}
	switch e.Kind {
	case JobStart:
		t.workedEarlier, t.processStart = t.Worked, e.Time
	case Waiting:
		t.waitStart = e.Time
	case Note, Lent, GivenBack, Proved, HandedOver:
	default:
		if d := e.Time.Sub(t.processStart); !t.processStart.IsZero() && t.workedEarlier+d > t.Worked {
			t.Worked = t.workedEarlier + d
		}
	}
}

// countCommit counts a commit once: a process that was killed right after it
// finds it made, and says so again.
func (t *Totals) countCommit(e Event) {
	if e.Commit != nil && e.Commit.Hash != t.lastCommit {
		t.Commits++
		t.lastCommit = e.Commit.Hash
	}
}

// lose counts a reserve that was never settled.
func (t *Totals) lose() {
	t.Lost, t.Reserved = t.Lost.Add(t.Reserved), decimal.Zero
}

// settle replaces the open reserve by what was spent. An answer that does not
// say what it cost costs the whole reserve.
func (t *Totals) settle(e Event) {
	if e.Money == nil {
		t.lose()
	} else {
		t.Reserved, t.Settled = decimal.Zero, t.Settled.Add(e.Money.Spent)
		t.compare(*e.Money)
	}
	if e.Money != nil && e.Money.Open != "" {
		t.Open = append(slices.Clip(t.Open), Unsettled{Seq: e.Seq, ID: e.Money.Open, Booked: e.Money.Spent})
	}
	if e.Kind == Reply {
		t.Turns++
	}
	if a := e.Answer; a != nil {
		t.Prompt += max(a.Prompt, 0)
		t.Completion += max(a.Completion, 0)
		t.Cached += max(a.Cached, 0)
	}
}

// resettle replaces a worst case by what the provider's record says. One that
// is not open is settled already.
func (t *Totals) resettle(e Event) {
	for i, u := range t.Open {
		if e.Money != nil && u.Seq == e.Money.Settles {
			t.Settled = t.Settled.Sub(u.Booked).Add(e.Money.Spent)
			t.Open = slices.Delete(slices.Clone(t.Open), i, i+1)
			return
		}
	}
}

// compare adds up what is reported and what is computed. Beyond a twentieth of
// what was computed and a tenth of a cent the difference is no rounding any more.
func (t *Totals) compare(m Money) {
	if !m.Reported.Valid || !m.Computed.Valid {
		return
	}
	t.Reported, t.Computed = t.Reported.Add(m.Reported.Decimal), t.Computed.Add(m.Computed.Decimal)
	off := t.Reported.Sub(t.Computed).Abs()
	if off.GreaterThan(t.Computed.Mul(decimal.New(5, -2))) && off.GreaterThan(decimal.New(1, -3)) {
		t.Deviates = true
	}
}
