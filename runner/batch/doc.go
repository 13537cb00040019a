// Package batch works through many specs: one job for each, in the order
// given, several at a time.
//
// A batch has a directory with one project directory for each spec, and a
// record of which they are (record.go). Where each stands is not kept a second
// time: it is read from the job's own state and ledger, so a batch can be
// killed at any point, and the same command goes on. What all jobs together
// have spent is the sum of their ledgers; a lock makes looking it up and
// reserving one step, over all jobs and processes (purse.go). run.go starts the
// jobs, and lets none of them touch another.
package batch
