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
// for each and a skeleton; the host checks the list and sees every test fail.
// A coding session (coding.go) builds one feature that the host picked. What
// the model is told is put together in prompt.go from the files of package
// prompts; every number that bounds a session stands in numbers.go.
//
// A turn (turn.go) is one request and its reply. Money is reserved in the
// ledger before the request leaves (book.go); a reply of another model is
// refused before anything of it is executed (package model).
//
// A call (call.go) is one tool call of a reply. It runs in a box, by default a
// new one each; package tool knows the tools, package sandbox the boxes. The
// runner knows neither Docker nor any provider's SDK.
//
// Nothing the model says makes a feature pass. The host proves it (proof.go):
// every box of the session is ended, the graders are put back, the tree is
// staged, the feature's command must exit 0 in a new box, and so must every
// command that passed before; the tree is hashed by the host itself (tree.go)
// before, after, and against what git is about to commit (commit.go). Only
// then the commit is made and "passes" is written.
//
// The host reads and writes below the project directory only through
// workspace.go, which follows no link, and executes nothing there: git too
// runs in a box.
//
// How it ends is an [Outcome]; what happened is in the ledger (package
// ledger), from which progress, status and resuming are read.
package runner
