// Package sandbox says what a box is: a throwaway container in which one
// thing happens that nobody trusts.
//
// An [Engine] starts boxes and does nothing else: it hands back a byte stream
// to the agent, our small static program that is process 1 of every box. All
// the rest is the same for every engine and lives here: [Open] turns a stream
// into a [Box], a Box runs a [Command] and gives a [Result], reads and writes
// files; a [Pool] hands out the boxes of one session and has the next ones
// started before they are asked for, in the order that [Starts] gives to all
// pools.
//
// A result names the [Limit]s that were hit. What no engine can bound, the sum
// of what boxes write, a [Disk] watches from outside.
//
// The stream carries yamux, and yamux carries HTTP (package wire). A box
// needs no port, no socket file, no network and no shared file system to be
// spoken to, so the same code works for a local engine and a remote one.
//
// Where the engine can't see the host's directories, a job's directories are
// volumes of the engine ([Volumes]), and a [Mirror] keeps a directory of the
// host and its copy the same ([Box.Push], [Box.Pull], package tree).
//
// Whatever comes out of a box is hostile. It is bounded in size and time, it
// is never a path or a command for the host, and a box that breaks the
// protocol is destroyed.
//
// Package docker is the engine; package boxtest has a fake one and the
// contract test that every engine must pass.
package sandbox
