// Package agent is process 1 of a box: it does what the host asks over one
// stream, and nothing else. Whatever it runs is hostile to it, so it can't be
// traced, ignores every signal, and is the last that the OOM killer takes;
// what stops it all the same ends the box, never the truth of a result.
//
// It works as an ordinary process, too (in tests, and where a stream can only
// be had from an exec); then it is the parent of all that it starts and ends
// it with itself.
package agent
