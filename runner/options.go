package runner

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/feature"
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

	Budget      decimal.Decimal // USD for the whole job, over all its processes
	MaxTokens   int             // of a reply; 0: chosen by price and the model's limit
	MaxSessions int             // of this process; 0: no limit
	Features    int             // how many the initializer is asked for; 0: as the job was begun, or DefaultFeatures

	// Approve shows the list to a person. nil accepts it as it is (--yes).
	// An *Error with outcome Rejected ends the job.
	Approve func(ctx context.Context, list []feature.Feature, note string) error

	// Observe is told every event right after it is on disk. It must be quick.
	Observe func(ledger.Event)

	// Redact removes keys from what goes to the ledger and into boxes; nil is none.
	Redact func(string) string

	CacheDir string // where what an image holds is remembered, "" to ask every time
	Version  string // of glovebox, for the ledger
	Log      hclog.Logger
}

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
	ID        string            `json:"id"`
	Dir       string            `json:"dir"`
	Spec      string            `json:"spec"`
	SpecHash  string            `json:"spec_hash"`
	Model     string            `json:"model"`
	Image     string            `json:"image"`
	Features  []feature.Feature `json:"features"`
	Note      string            `json:"note,omitempty"` // what the list does not cover
	Red       map[string]string `json:"red,omitempty"`  // how each verify failed before the work, by feature
	Approved  bool              `json:"approved"`
	Running   bool              `json:"running"` // a process holds the job's lock
	Lent      bool              `json:"lent"`    // the directory still belongs to the box's user
	Sessions  int               `json:"sessions"`
	Turns     int               `json:"turns"`
	Calls     int               `json:"calls"`
	Boxes     int               `json:"boxes"`
	Commits   int               `json:"commits"`
	Seconds   float64           `json:"seconds"` // worked, over all processes
	Prompt    int               `json:"prompt_tokens"`
	Output    int               `json:"completion_tokens"`
	Spent     decimal.Decimal   `json:"spent_usd"` // unsettled reservations included
	Budget    decimal.Decimal   `json:"budget_usd"`
	LastEvent string            `json:"last_event,omitempty"`
	Outcome   Outcome           `json:"outcome,omitempty"` // of the last process that ended by itself
	Reason    string            `json:"reason,omitempty"`
	Hint      string            `json:"hint,omitempty"`
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
