package runner

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/handover"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Options are everything a job needs; cmd fills them in.
type Options struct {
	Spec Spec
	Dir  string // the project directory, absolute, existing

	// Model is the bare provider; the runner puts retry, guard and budget around it.
	Model     model.Model
	ModelName string // as asked for: provider/model
	ModelInfo model.Info

	Engine sandbox.Engine
	Image  Image
	Limits sandbox.Limits
	Scope  sandbox.Scope
	Starts *sandbox.Starts // shared by all jobs of a process; nil: one queue for each session
	// Workspace says where the project lies for the boxes; "" is WorkspaceAuto.
	Workspace WorkspaceMode
	// Branch is where commits go in a repository that was there before the job:
	// "" is a branch of the job's own, BranchCurrent the one that is checked out.
	Branch     string
	AllowDirty bool // begin with work that is not committed: it gets into the first commit

	// Purse is a cap over several jobs, nil if there is none.
	Purse model.Purse
	// Pace waits until a request may leave, for limits that jobs share; nil
	// never waits.
	Pace func(ctx context.Context) error

	Budget     decimal.Decimal // USD for the whole job, over all its processes
	KeepBudget bool            // the cap stays what it was if the job was begun before; Budget is for a new one
	Wait       bool            // sleep until the reset of a provider's daily limit, and go on
	MaxTokens  int             // of a reply; 0: chosen by price and the model's limit
	// Tools is how the model calls tools; "" is ToolsAuto.
	Tools ToolMode

	MaxSessions  int           // of this process; 0: no limit
	MaxTurns     int           // of a session; 0: by its kind
	MaxTime      time.Duration // of this process; 0: no limit
	MaxCalls     int           // of this process; 0: no limit
	MaxJobTokens int           // of prompts and replies, for the whole job, over all its processes; 0: no limit
	// Loop is how patient the job is with a session that repeats itself: the
	// thresholds in numbers.go times this. 0 is 1; less than 0 never ends one.
	Loop int

	Features int // how many the initializer is asked for; 0: as the job was begun, or DefaultFeatures

	// Approve shows the list to a person. nil accepts it as it is (--yes).
	// An *Error with outcome Rejected ends the job.
	Approve func(context.Context, Proposal) (Answer, error)
	// SignedOff is a list that a person has accepted before (--approve): the job
	// takes exactly it. nil: the initializer makes the list.
	SignedOff []feature.Feature
	// Dispute asks a person who has accepted the list whether the test of a
	// feature may be revised: why it is given up, and what its verify prints.
	// nil: it may not.
	Dispute func(ctx context.Context, f feature.Feature, why, output string) (bool, error)
	Person  string // who runs this, for the ledger: user name and uid

	// Accept is the user's own test; nil is the one that the job has, if any.
	Accept       *Acceptance
	AcceptEach   bool // it is run after each feature, too
	AcceptOutput bool // the model may see what it prints

	Prompts *prompts.Set // what the model is told, where it is not what we tell it

	// Observe is told every event right after it is on disk. It must be quick.
	Observe func(ledger.Event)

	// Redact removes keys from what goes to the ledger, to the model and into
	// boxes; nil is none.
	Redact func(string) string

	// Now and Sleep are the clock of retries; nil is the real one.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error

	CacheDir string // where what an image holds is remembered, "" to ask every time
	Version  string // of glovebox, for the ledger
	Log      hclog.Logger
}

// ToolMode is how a model calls tools.
type ToolMode string

// The modes.
const (
	ToolsAuto   ToolMode = "auto"   // as the model can: by itself, or in words
	ToolsNative ToolMode = "native" // by itself, whatever its catalogue says
	ToolsText   ToolMode = "text"   // in words, see package text
)

// DefaultFeatures is how many features are planned unless somebody says
// otherwise; the predecessor's number.
const DefaultFeatures = 3

// Spec is the text of what is to be built.
type Spec struct {
	Name string // the file's name, for people
	Text string // valid UTF-8, at most 1 MiB, not empty
}

// Image is the image that a job's boxes start from.
type Image struct {
	Ref  string // as asked for
	ID   string // what the engine starts
	Path string // the PATH of the image's environment, the only thing taken from it
}

// Status is where a job stands, read from its state alone: no engine, no model, no lock.
type Status struct {
	ID       string            `json:"id"`
	Dir      string            `json:"dir"`
	Spec     string            `json:"spec"`
	SpecHash string            `json:"spec_hash"`
	Model    string            `json:"model"`
	Image    string            `json:"image"`
	Features []feature.Feature `json:"features"`
	Note     string            `json:"note,omitempty"` // what the list does not cover
	Red      map[string]string `json:"red,omitempty"`  // how each verify failed before the work, by feature
	Approved bool              `json:"approved"`
	// How and by whom the list was accepted, its hash then, and its hash now if it was edited since.
	ApprovedHow  string            `json:"approved_how,omitempty"` // yes-flag, person, file
	ApprovedBy   string            `json:"approved_by,omitempty"`
	ApprovedHash string            `json:"approved_hash,omitempty"`
	ListHash     string            `json:"list_hash,omitempty"`
	PutBack      []string          `json:"put_back,omitempty"` // files of the host that sessions had changed
	Running      bool              `json:"running"`            // a process holds the job's lock
	Lent         bool              `json:"lent"`               // the directory still belongs to the box's user
	Sessions     int               `json:"sessions"`
	Turns        int               `json:"turns"`
	Calls        int               `json:"calls"`
	Boxes        int               `json:"boxes"`
	Commits      int               `json:"commits"`
	Seconds      float64           `json:"seconds"` // worked, over all processes
	Prompt       int               `json:"prompt_tokens"`
	Output       int               `json:"completion_tokens"`
	Cached       int               `json:"cached_tokens"`
	Spent        decimal.Decimal   `json:"spent_usd"`     // unsettled reservations included
	Unsettled    decimal.Decimal   `json:"unsettled_usd"` // part of Spent: worst cases of replies that did not say what they cost
	Lost         decimal.Decimal   `json:"lost_usd"`      // part of Spent: worst cases of requests whose answer a crash has lost
	Budget       decimal.Decimal   `json:"budget_usd"`
	Reported     decimal.Decimal   `json:"reported_usd"`            // of replies for which there are both: what the provider says they cost,
	Computed     decimal.Decimal   `json:"computed_usd"`            // and what their tokens cost at the known price
	Deviates     bool              `json:"cost_deviates,omitempty"` // the two have differed by more than 5 %
	LastEvent    string            `json:"last_event,omitempty"`
	Flaky        map[string]string `json:"flaky,omitempty"`   // of features, by id: how their verify contradicts itself
	Proof        *ledger.ProofInfo `json:"proof,omitempty"`   // the last one of everything
	Outcome      Outcome           `json:"outcome,omitempty"` // of the last process that ended by itself
	Reason       string            `json:"reason,omitempty"`
	Hint         string            `json:"hint,omitempty"`
	Branch       string            `json:"branch,omitempty"`   // of the commits, in a repository that was there before
	From         string            `json:"from,omitempty"`     // the branch that it began at
	Handover     *handover.Report  `json:"handover,omitempty"` // only from Run; nil if no box has run
}

// Passing counts the features that pass.
func (s Status) Passing() int {
	n := 0
	for _, f := range s.Features {
		if f.Passes {
			n++
		}
	}
	return n
}
