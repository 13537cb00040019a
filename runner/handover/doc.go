// Package handover finds what in a project would run by itself when a person
// opens, builds or enters it on their own machine, and makes git harmless.
//
// What it reads was written by something that nobody trusts. Nothing of it is
// executed to find out, no link is followed, and nothing outside of the
// directory is looked at: every access goes through an os.Root. Files, entries
// and depth are bounded; what could not be looked at is a finding of its own.
//
// The flow: walk.go visits the tree and asks, for each entry, special.go (what
// is no plain file), names.go (names made to confuse), rules.go with inspect.go
// (files that programs obey). A directory that git would take for a repository
// goes to repository.go: its hooks are moved aside and its config, read by
// gitconfig.go, is rewritten to what harmless.go allows.
package handover
