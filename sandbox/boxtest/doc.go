// Package boxtest is for tests: a fake [sandbox.Engine] that needs no Docker
// ([Fake]), and the contract that every engine must keep ([TestEngine]), which
// the fake and the real ones all run.
package boxtest
