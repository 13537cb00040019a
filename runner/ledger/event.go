// Package ledger is the append-only record of a job: JSON lines, one event a
// line, each written and synced before the next thing happens. What is about
// to be done stands there before it is done, what came of it after.
//
// The ledger is the product, not a log: resuming, the money, the progress on
// the terminal, `glovebox log`, `status` and `--json` are all read from it.
package ledger

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// Version is the format of the events; it rises when a reader of the old one
// would misread the new one.
const Version = 1

// Kind names what happened.
type Kind string

// The kinds of events, in the order in which a job makes them.
const (
	JobStart     Kind = "job-start"      // Job: a process begins to work on the job
	Lent         Kind = "lent"           // the directory belongs to the box's user from now on
	GivenBack    Kind = "given-back"     // and to its owner again
	BoxStart     Kind = "box"            // Box: a box has been started
	SessionStart Kind = "session-start"  // Session
	Request      Kind = "request"        // Money.Reserved: a request is about to leave; until its Reply or Failed it counts as spent in full
	Reply        Kind = "reply"          // Reply, Money.Spent
	Failed       Kind = "request-failed" // Text; Money.Spent (zero, or what the failure cost)
	Settled      Kind = "settled"        // Money.Spent: what the provider's record says of the event Money.Settles, in place of what was booked for it
	Waiting      Kind = "waiting"        // Text, Until: nothing is asked before that
	CallStart    Kind = "call"           // Call
	CallEnd      Kind = "result"         // Result
	VerifyStart  Kind = "verify"         // Verify: the host runs a feature's command in a new box
	VerifyEnd    Kind = "verdict"        // Verify
	Listed       Kind = "listed"         // List: the initializer's list passed the checks
	Remarked     Kind = "remark"         // List, Text: a person wants another list, and says what is to be different
	Approved     Kind = "approved"       // List: and was accepted
	Edited       Kind = "edited"         // List, Text: a person has changed the accepted list, and what
	CommitStart  Kind = "commit"         // Commit: Tree and Message are about to be committed
	CommitEnd    Kind = "committed"      // Commit
	Passed       Kind = "passed"         // Feature, Commit: the host saw it work
	PutBack      Kind = "put-back"       // Text: a file of the host's or a frozen one that a session had changed
	Disputed     Kind = "disputed"       // Feature, Text: the model says that the feature's test is wrong
	Revised      Kind = "revised"        // Feature, Text, List: its test was corrected, and why
	Blocked      Kind = "blocked"        // Feature, Text
	Unblocked    Kind = "unblocked"      // Feature, Text: it gets one more session
	Unpassed     Kind = "unpassed"       // Feature, Text, Commit: it worked once and does not now; the commit that broke it, where there is one
	Flaky        Kind = "flaky"          // Feature, Text: its verify gave different results on the same files
	Proved       Kind = "proved"         // Proof: everything was verified once more, at the end of a job or by `glovebox verify`
	Branched     Kind = "branch"         // Branch: what the job's commits go on
	HandedOver   Kind = "handover"       // Handover, Text: what is left in the project that would run by itself on a person's machine
	Note         Kind = "note"           // Text: anything a person should know (the list was put back, no git, …)
	SessionEnd   Kind = "session-end"    // Session
	JobEnd       Kind = "job-end"        // End
)

// Event is one line. The payload that belongs to the kind is set, others are nil.
type Event struct {
	V       int       `json:"v"`
	Seq     int64     `json:"seq"` // from 1, without holes
	Time    time.Time `json:"time"`
	Kind    Kind      `json:"kind"`
	Session int       `json:"session,omitempty"` // number in the job, from 1
	Turn    int       `json:"turn,omitempty"`    // number in the session, from 1
	Feature string    `json:"feature,omitempty"` // id
	Text    string    `json:"text,omitempty"`
	Aside   string    `json:"aside,omitempty"` // where what was put back is kept as it was, below the project

	Until   *time.Time   `json:"until,omitempty"`
	Job     *JobInfo     `json:"job,omitempty"`
	Box     *BoxInfo     `json:"box,omitempty"`
	Started *SessionInfo `json:"started,omitempty"`
	Ended   *SessionInfo `json:"ended,omitempty"`
	Money   *Money       `json:"money,omitempty"`
	Answer  *ReplyInfo   `json:"answer,omitempty"`
	Call    *CallInfo    `json:"call,omitempty"`
	Result  *ResultInfo  `json:"result,omitempty"`
	Verify  *VerifyInfo  `json:"verify,omitempty"`
	List    *ListInfo    `json:"list,omitempty"`
	Commit  *CommitInfo  `json:"commit,omitempty"`
	End     *EndInfo     `json:"end,omitempty"`
	Branch  *BranchInfo  `json:"branch,omitempty"`
	Proof   *ProofInfo   `json:"proof,omitempty"`

	Handover *HandoverInfo `json:"handover,omitempty"`
}

// JobInfo says what a process works on, and with what.
type JobInfo struct {
	ID       string `json:"id"`
	Spec     string `json:"spec"`      // file name, for people
	SpecHash string `json:"spec_hash"` // SHA-256 of the text
	Model    string `json:"model"`     // provider/model
	Image    string `json:"image"`     // as asked for
	ImageID  string `json:"image_id"`
	Scope    string `json:"scope"`
	Budget   string `json:"budget"` // USD
	Version  string `json:"version"`
	Resumed  bool   `json:"resumed,omitempty"`
	Features int    `json:"features"`         // how many were asked for
	Accept   string `json:"accept,omitempty"` // SHA-256 of the user's own test

	Isolation *IsolationInfo `json:"isolation,omitempty"`
}

// IsolationInfo is what the boxes of a process are held by.
type IsolationInfo struct {
	Engine    string        `json:"engine,omitempty"`  // name, version and address
	System    string        `json:"system,omitempty"`  // what it runs on
	Runtime   string        `json:"runtime,omitempty"` // of containers
	Kernel    string        `json:"kernel,omitempty"`  // that a box sees
	Workspace string        `json:"workspace"`         // auto, bind or volume, as asked for
	Memory    int64         `json:"memory"`            // bytes
	CPUs      float64       `json:"cpus"`
	PIDs      int64         `json:"pids"`
	Disk      int64         `json:"disk"`            // bytes
	Files     int64         `json:"files"`           // in workspace and home
	Timeout   time.Duration `json:"timeout_ns"`      // of a command
	Flags     []string      `json:"flags,omitempty"` // what the engine is told of a box for a call
}

// BoxInfo is a box that was started.
type BoxInfo struct {
	ID      string        `json:"id"`
	Purpose string        `json:"purpose"`             // call, session, verify, git, init, probe
	Took    time.Duration `json:"took_ns"`             // its start
	Waited  time.Duration `json:"waited_ns,omitempty"` // how long its call waited for it; 0: it was ready
}

// SessionInfo opens and closes a session.
type SessionInfo struct {
	Kind    string `json:"kind"`              // initializer, coding, acceptance
	Attempt int    `json:"attempt,omitempty"` // of the same purpose, from 1
	Ending  string `json:"ending,omitempty"`  // finish, turns, loop, no-calls, …: what ended it
	Status  string `json:"status,omitempty"`  // done or blocked, as the model said on finish
	Note    string `json:"note,omitempty"`    // the model's, bounded
	Limit   string `json:"limit,omitempty"`   // the limit that ended it, in words
	Text    bool   `json:"text,omitempty"`    // the model called tools in words
}

// Money is in USD.
type Money struct {
	Reserved decimal.Decimal `json:"reserved"`
	Spent    decimal.Decimal `json:"spent"`
	// Reported and Computed are what the provider says that a reply cost and
	// what its tokens cost at the known price, where there are both.
	Reported decimal.NullDecimal `json:"reported,omitzero"`
	Computed decimal.NullDecimal `json:"computed,omitzero"`
	// Open is the provider's id of a reply that did not say what it cost: Spent
	// is its worst case, until a Settled event says otherwise.
	Open string `json:"open,omitempty"`
	// Settles is the Seq of the event whose Spent a Settled event replaces.
	Settles int64 `json:"settles,omitempty"`
}

// ReplyInfo is what came back for a request.
type ReplyInfo struct {
	ID         string        `json:"id,omitempty"`
	Model      string        `json:"model"`
	Finish     string        `json:"finish"`
	Prompt     int           `json:"prompt_tokens"`
	Completion int           `json:"completion_tokens"`
	Cached     int           `json:"cached_tokens,omitempty"`
	Calls      int           `json:"calls"`
	Text       string        `json:"text,omitempty"` // what it said, bounded
	Took       time.Duration `json:"took_ns"`
	Tolerated  []string      `json:"tolerated,omitempty"` // what was understood although it was not as agreed on
}

// CallInfo is a call about to be executed.
type CallInfo struct {
	Number  int    `json:"number"` // in the session, from 1
	Tool    string `json:"tool"`
	Summary string `json:"summary"` // one line for people, bounded
	Args    string `json:"args"`    // JSON as the model wrote it, bounded
	// Aliases are names of a tool or of parameters that were understood although they are not ours.
	Aliases []string `json:"aliases,omitempty"`
}

// ResultInfo is what came of it.
type ResultInfo struct {
	Number  int           `json:"number"`
	Box     string        `json:"box,omitempty"`
	Summary string        `json:"summary"` // the first line of what the model was told
	Text    string        `json:"text"`    // what the model was told, bounded
	OK      bool          `json:"ok"`
	Took    time.Duration `json:"took_ns"`
	Limits  []LimitInfo   `json:"limits,omitempty"` // that were hit
}

// LimitInfo is a limit of a box that was hit.
type LimitInfo struct {
	Name  string `json:"name"`            // memory, host memory, pids, file size, temporary files, shared memory, time, disk, files, "disk, unseen", free space
	Value string `json:"value,omitempty"` // as it was set, for example "2 GB"
	Words string `json:"words"`           // both, for people
}

// VerifyInfo is a verification by the host.
type VerifyInfo struct {
	Command string `json:"command"`
	Why     string `json:"why"`            // red-check, before-session, finish, session-end, regression, baseline, again, final, without-work, acceptance
	Box     string `json:"box,omitempty"`  // id
	Tree    string `json:"tree,omitempty"` // git's hash of the tree as the host computed it
	// Program is the same without the files that the host itself keeps in the
	// workspace: two verifications with one Program saw the same files.
	Program string        `json:"program,omitempty"`
	Exit    int           `json:"exit"`
	Passed  bool          `json:"passed"`
	Output  string        `json:"output,omitempty"` // bounded
	Took    time.Duration `json:"took_ns,omitempty"`
	Limits  []LimitInfo   `json:"limits,omitempty"` // that were hit
}

// ListInfo is a feature list.
type ListInfo struct {
	Hash string   `json:"hash"`
	IDs  []string `json:"ids"`
	How  string   `json:"how,omitempty"`  // yes-flag, person, file
	By   string   `json:"by,omitempty"`   // user name and uid of who ran the command
	Note string   `json:"note,omitempty"` // what the list does not cover, in the initializer's words
}

// CommitInfo is a commit by the host.
type CommitInfo struct {
	Hash    string `json:"hash,omitempty"`
	Tree    string `json:"tree"`
	Message string `json:"message"`
}

// EndInfo is how a process's work on a job ended.
type EndInfo struct {
	Outcome string `json:"outcome"`
	Code    int    `json:"code"`
	Reason  string `json:"reason,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Unrestored says that what a session did to a repository that was brought is still so.
	Unrestored bool `json:"unrestored,omitempty"`
}

// BranchInfo is where the commits of a job go, in a repository that was there before it.
type BranchInfo struct {
	Name string `json:"name,omitempty"` // "" is no branch: a HEAD that is detached
	From string `json:"from,omitempty"` // the branch before, "" if there was none
	Base string `json:"base"`           // the commit that the job begins at
}

// ProofInfo is the proof of everything at once.
type ProofInfo struct {
	Commit string `json:"commit,omitempty"` // "" where the image has no git
	Tree   string `json:"tree"`
	// Clone says that it was made in a fresh clone of the commit; Why says why
	// not, and then it was made in a copy of the workspace.
	Clone bool   `json:"clone"`
	Why   string `json:"why,omitempty"`
	// Dirty says that files of the commit are others in the workspace, and so
	// in no proof.
	Dirty    bool          `json:"dirty,omitempty"`
	Features []ProofResult `json:"features"`
	// Acceptance is the verdict of the user's own test; nil if there is none, or
	// if a feature failed before it.
	Acceptance *ProofResult `json:"acceptance,omitempty"`
	// Reason says why nothing could be proved, whatever the features say.
	Reason string `json:"reason,omitempty"`
}

// ProofResult is what came of one feature, or of the acceptance test.
type ProofResult struct {
	ID     string        `json:"id"`
	Passed bool          `json:"passed"`
	Flaky  bool          `json:"flaky,omitempty"`
	How    string        `json:"how,omitempty"`    // how the command ended
	Output string        `json:"output,omitempty"` // of a red one, bounded
	Took   time.Duration `json:"took_ns"`
}

// Passed says that everything was proved.
func (p *ProofInfo) Passed() bool {
	return p.Reason == "" && len(p.Features) > 0 && len(p.Failed()) == 0
}

// Failed are the ids of what was not proved.
func (p *ProofInfo) Failed() (ids []string) {
	for _, r := range p.Features {
		if !r.Passed {
			ids = append(ids, r.ID)
		}
	}
	if p.Acceptance != nil && !p.Acceptance.Passed {
		ids = append(ids, p.Acceptance.ID)
	}
	return ids
}

// Where says in words where it was made.
func (p *ProofInfo) Where() string {
	if p.Clone {
		return fmt.Sprintf("in a fresh clone of commit %.10s", p.Commit)
	}
	return "in a copy of the workspace (" + p.Why + ")"
}

// HandoverInfo is what in the project would run by itself on a person's machine.
type HandoverInfo struct {
	Mended   int            `json:"mended"`             // made harmless
	Left     map[string]int `json:"left"`               // severity (enter, build, look): how many are left to the person
	Findings []FindingInfo  `json:"findings,omitempty"` // the most severe first, bounded
	More     int            `json:"more,omitempty"`     // that are only counted
}

// FindingInfo is one of them. Path and Detail come from the project.
type FindingInfo struct {
	Severity string `json:"severity"`
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	Detail   string `json:"detail,omitempty"`
	Aside    string `json:"aside,omitempty"` // where it was moved to
}
