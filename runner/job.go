package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner/feature"
	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// cleanupTime is how long ending boxes may take when the job's own time is
// over: longer than an engine may take for each of them (a minute on Docker),
// so that it is the engine's own words that a person reads.
const cleanupTime = 90 * time.Second

// job is one process's work on a job.
type job struct {
	o          Options
	log        hclog.Logger
	state      *state
	files      workspace
	home       workspace // $HOME of the boxes: as hostile as the project
	ledger     *ledger.Ledger
	past       history
	list       feature.State
	old        []feature.Old // the predecessor's list, if the project came with one
	lastFault  string        // of the last list that was not taken
	model      model.Model
	records    model.Records // of the provider; nil if it keeps none
	settlement *model.Settlement
	user       sandbox.User
	volumes    *volumes // nil where boxes work in the host's directory itself
	meter      *sandbox.DirMeter
	disk       *sandbox.Disk // the quota on the project and home
	inventory  images.Inventory
	env        []string // of every command in a box
	system     string   // prompt
	text       bool     // the model calls tools in words
	accept     *Acceptance
	leftOut    []string // ignored files that were not committed and are named
	guards     bool     // what was brought is put back at the end of this process
	loss       *Error   // why it could not be
	looks      bool     // only to prove what is there: it keeps nothing but the proof

	session      int // number of the one under way
	turn         int
	sessionsLeft int       // of this process
	calls        int       // of this process
	deadline     time.Time // of this process; zero: none
	replied      bool      // the model has answered this process at least once
	called       bool      // and has called a tool by itself
	uncounted    bool      // and did not say how many tokens that took
}

// Run works on the job of o.Spec in o.Dir until it ends: done is a nil error,
// every other ending an *Error with its Outcome. The same options go on where
// an earlier process stopped, however it stopped. A cancelled ctx ends it
// cleanly as Interrupted.
func Run(ctx context.Context, o Options) (Status, error) {
	j := newJob(o)
	if o.MaxTime > 0 {
		j.deadline = time.Now().Add(o.MaxTime)
	}
	if err := fits(o.ModelInfo); err != nil {
		return Status{}, err
	}
	var err error
	if j.state, err = openState(o.Dir, o.Spec, o.Features); err != nil {
		return Status{}, outcomeOf(ctx, err)
	}
	defer j.close()
	if err := j.load(); err != nil {
		return Status{}, outcomeOf(ctx, err)
	}
	err = j.unrestored(outcomeOf(ctx, j.work(ctx)))
	found := j.handOver(ctx)
	err = j.end(err)
	status := statusOf(o.Dir, j.state.job, j.list, j.ledger.Totals())
	status.Handover = found
	return status, err
}

func newJob(o Options) *job {
	j := &job{o: o, log: o.Log, sessionsLeft: o.MaxSessions}
	if j.log == nil {
		j.log = hclog.NewNullLogger()
	}
	return j
}

func (j *job) close() {
	if j.ledger != nil {
		j.ledger.Close()
	}
	if j.home.root != nil {
		j.home.root.Close()
	}
	j.state.close()
}

// load reads what earlier processes left.
func (j *job) load() (err error) {
	events, err := readLedger(j.state.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range events {
		j.past.add(e)
	}
	j.list, err = loadFeatures(j.state.root)
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.past.listed:
		return missing(featuresFile, ledgerFile+" knows of a list")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	j.session = j.past.sessions
	j.ledger, err = ledger.Open(j.state.root, ledgerFile, ledger.Options{Redact: j.o.Redact, Observe: j.observe})
	return err
}

func (j *job) observe(e ledger.Event) {
	j.past.add(e)
	if j.o.Observe != nil {
		j.o.Observe(e)
	}
}

// record appends to the ledger. What can't be recorded is not done. Who only
// looks leaves no trace but what that was, and what a crash must not forget; who
// has no ledger looks at less than that.
func (j *job) record(e ledger.Event) error {
	if j.ledger == nil {
		return nil
	}
	if j.looks && !slices.Contains([]ledger.Kind{ledger.Proved, ledger.Lent, ledger.GivenBack, ledger.Note}, e.Kind) {
		e.Time = time.Now()
		j.observe(e)
		return nil
	}
	if err := j.ledger.Append(e); err != nil {
		return &Error{Outcome: FailedRun, Reason: "can't write the ledger", Hint: "free some disk space; the same command goes on", Err: err}
	}
	return nil
}

func (j *job) note(what string) error {
	return j.record(ledger.Event{Kind: ledger.Note, Session: j.session, Text: what})
}

// work is the job from its first event to its last but one.
func (j *job) work(ctx context.Context) (err error) {
	if err := j.keepBudget(); err != nil {
		return err
	}
	if err := j.keepAcceptance(); err != nil {
		return err
	}
	info := j.info()
	info.Isolation = j.isolation(ctx)
	if err := j.record(ledger.Event{Kind: ledger.JobStart, Job: info}); err != nil {
		return err
	}
	defer func() { err = j.lookUpCosts(ctx, err) }()
	if err := j.cleanSpec(); err != nil {
		return err
	}
	if err := j.watchDisk(ctx); err != nil {
		return err
	}
	defer j.meter.Close()
	defer func() { err = errors.Join(err, j.volumes.end()) }()
	if err := j.takeDirectory(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.returnDirectory()) }()
	if err := j.prepare(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.endOriginal(ctx)) }()
	if err := j.settleBranch(ctx); err != nil {
		return err
	}
	if err := j.plan(ctx); err != nil {
		return err
	}
	if err := j.seeEdited(ctx); err != nil {
		return err
	}
	return j.build(ctx)
}

// cleanSpec takes secrets out of the spec before it is shown to the model and
// laid into the workspace.
func (j *job) cleanSpec() error {
	clean := j.redact(j.o.Spec.Text)
	if clean == j.o.Spec.Text {
		return nil
	}
	j.o.Spec.Text = clean
	return j.note("a secret of the environment stands in the specification; the model and the boxes get it without")
}

func (j *job) info() *ledger.JobInfo {
	info := &ledger.JobInfo{ID: j.state.job.ID, Spec: j.state.job.Spec, SpecHash: j.state.job.SpecHash,
		Model: j.o.ModelName, Image: j.o.Image.Ref, ImageID: j.o.Image.ID, Scope: string(j.o.Scope),
		Budget: j.o.Budget.String(), Version: j.o.Version, Resumed: j.state.resumed, Features: j.state.job.Features}
	if j.accept != nil {
		info.Accept = j.accept.hash()
	}
	return info
}

// takeDirectory settles who the boxes run as and lends them the directory, or
// makes volumes, if need be.
func (j *job) takeDirectory(ctx context.Context) error {
	dir, err := j.state.project.Lstat(".")
	if err != nil {
		return err
	}
	user, needsLending, err := boxUser(dir)
	if err != nil {
		return err
	}
	j.user = user
	j.files = workspace{root: j.state.project, owner: user}
	if j.home, err = makeHome(j.state.root, user); err != nil {
		return err
	}
	if err := j.recoverVolume(ctx); err != nil {
		return err
	}
	if j.o.Workspace == WorkspaceVolume {
		return j.makeVolumes(ctx, "as asked for")
	}
	if !needsLending {
		return nil
	}
	if err := lend(ctx, j.state.project, j.state.root); err != nil {
		return err
	}
	return j.record(ledger.Event{Kind: ledger.Lent, Text: fmt.Sprintf("the directory is lent to user %d while boxes work in it", user.UID)})
}

// returnDirectory gives a lent directory back. No box runs any more.
func (j *job) returnDirectory() error {
	if _, err := j.state.root.Lstat(lentFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := giveBack(j.state.project, j.state.root); err != nil {
		return &Error{Outcome: FailedRun, Reason: "can't give the directory back to its owner", Hint: "the same command tries again", Err: err}
	}
	return j.record(ledger.Event{Kind: ledger.GivenBack})
}

// prepareBoxes finds out what the image holds, and proves that the mount is the
// directory meant.
func (j *job) prepareBoxes(ctx context.Context) (err error) {
	if j.inventory, err = j.inspectImage(ctx); err != nil {
		return err
	}
	j.env = environment(j.o.Image)
	if err := j.home.write(tool.GitExclude, []byte(tool.GitExcludeText), 0o644); err != nil {
		return err
	}
	return j.settleWorkspace(ctx)
}

// prepare sets up what boxes and sessions need.
func (j *job) prepare(ctx context.Context) (err error) {
	if err := j.prepareBoxes(ctx); err != nil {
		return err
	}
	if !j.inventory.Git {
		if err := j.note("the image has no git: nothing is committed"); err != nil {
			return err
		}
	}
	if err := j.chooseTools(); err != nil {
		return err
	}
	if err := j.warnOfWindow(); err != nil {
		return err
	}
	err = j.checkRepository(ctx)
	if v, refused := refusal(feature.Feature{}, err); refused {
		err = nil // in a job that was begun it is the session's doing, and is told to the model
		if !j.state.resumed {
			err = &Error{Outcome: Usage, Reason: "this repository can't be built in: " + v.output,
				Hint: "give it a plain clone (git clone --no-local), or an empty directory"}
		}
	}
	if err != nil {
		return err
	}
	j.askThrough()
	return nil
}

// end records how this process's work ended.
func (j *job) end(err error) error {
	info := &ledger.EndInfo{Outcome: string(Done)}
	var e *Error
	if errors.As(err, &e) {
		info = &ledger.EndInfo{Outcome: string(e.Outcome), Code: e.Outcome.ExitCode(), Reason: j.clip(e.Error(), errorKept), Hint: e.Hint}
	}
	info.Unrestored = j.loss != nil
	return errors.Join(err, j.record(ledger.Event{Kind: ledger.JobEnd, End: info}))
}

// outcomeOf gives every error an outcome. An interrupted job is interrupted,
// whatever broke because of it.
func outcomeOf(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &Error{Outcome: Interrupted, Reason: "interrupted", Hint: "the same command goes on"}
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, os.ErrPermission) {
		return &Error{Outcome: FailedRun, Reason: "a file of the project can't be touched", Hint: "is the directory yours, on a disk that can be written?", Err: err}
	}
	return &Error{Outcome: FailedRun, Err: err}
}
