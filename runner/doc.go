// Package runner builds a program from a specification with a language model
// that it does not trust. This page is the tour, in the order of the flow:
//
//	spec ─ Job ─ Session ─ Turn ─ Call ─ Box ─ result ─ Turn …      everything ─ Ledger
//
// A job ([Run], job.go) is one spec being built in one project directory. It
// survives many processes: its truth lies in .glovebox/ (state.go), which no
// box can see, and the same command goes on after a crash at any point. While
// it works, a directory that belongs to root is lent to an ordinary user
// (lend.go); boxes never run as root.
//
// A session (session.go) is one fresh conversation with the model. The
// initializer (initializer.go) plans the features: it writes the list, a test
// for each and a skeleton; the host checks the list and sees every test fail
// (red.go). A predecessor's list is taken over (oldlist.go), and a person
// accepts, changes or gives back what comes of it (approval.go, edit.go).
// A coding session (coding.go) builds one feature that the host picked. What
// the model is told is put together in prompt.go from the files of package
// prompts; every number that bounds a session stands in numbers.go.
//
// A turn (turn.go) is one request and its reply. Money is reserved in the
// ledger before the request leaves (book.go); a reply of another model is
// refused before anything of it is executed (package model). A model that can't
// call tools is asked for commands in words (talk.go, package model/text). What
// no longer fits into its window is left out (context.go), and every limit that
// ends a session or a job has a name (limits.go).
//
// A call (call.go) is one tool call of a reply. It runs in a box, by default a
// new one each, which was started while the model thought; reads that follow
// one another run together (reads.go), and a box in which something runs on is
// kept (kept.go). Package tool knows the tools, package sandbox the boxes. The
// runner knows neither Docker nor any provider's SDK. A session that goes in
// circles is noticed (loop.go).
//
// Nothing the model says makes a feature pass. The host proves it (proof.go):
// every box of the session is ended, the graders are put back (frozen.go), git
// takes up the tree in a box (commit.go), and the host copies exactly the files
// of that tree, hashing them itself (checkout.go, tree.go). On the copy, which
// has no .git and nothing that git ignores, init.sh is run in a box of its own,
// then the feature's command in a new box, and so is every command that passed
// before. Only when all exit 0 and the copy is unchanged, that tree is committed,
// compared with the workspace once more, and "passes" is written: if the same
// command still fails on the commit before the work (base.go), and ran a test
// (notests.go) whose orders no builder can change (runners.go). So what
// passes is what a clone has: a program that .gitignore hides, or state that
// one verification leaves for the next, proves nothing.
//
// What passed and is red again names the commit that broke it (blame.go); what
// says two things of the same files is flaky and no pass (flaky.go). When all
// pass, everything is proved once more in a fresh clone of the commit (clone.go,
// final.go), and by the user's own test, which no session sees (accept.go).
// [Verify] makes that last proof at any time.
// A test may itself be wrong. Once a feature, a session of revision may correct
// it (revision.go): by itself where nobody looked at the list, else if a person
// says so.
//
// Where the engine does not see the project directory, boxes work in a copy of
// it in a volume (volumes.go): whenever no box runs, the host's directory is the
// truth. What a killed process has left in its volume is fetched first (recover.go).
//
// In a repository that was there before, the job's commits go on a branch of its
// own (branch.go), and what a session does to the history is undone (original.go).
//
// The host reads and writes below the project directory only through
// workspace.go and walk.go, which follow no link, and executes nothing there:
// git too runs in a box.
//
// At the end the host looks at what of all this would run by itself on a
// person's machine, and disarms git (handover.go, package handover).
//
// How it ends is an [Outcome]; what happened is in the ledger (package
// ledger), from which progress, status, resuming and reports (package report)
// are read.
package runner
