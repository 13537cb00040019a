package docker

import (
	"os/exec"
	"testing"
)

// A process id that was given away again must not keep a box alive.
func TestOwner(t *testing.T) {
	me := self()
	read, ok := parseOwner(me.String())
	if !ok || read != me || !read.alive() || !read.local() {
		t.Fatalf("%+v read back as %+v", me, read)
	}
	again := me
	again.start = "1"
	if again.alive() {
		t.Error("another process with this id is taken for it")
	}
	other := me
	other.boot = "9b2c9d7e"
	if other.alive() || other.local() {
		t.Error("a process of another machine is taken for one of this")
	}
}

func TestOwnerOfDeadProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := self()
	o.pid = cmd.Process.Pid
	o.start, _ = started(o.pid)
	if !o.alive() {
		t.Error("a process that runs counts as dead")
	}
	cmd.Process.Kill()
	cmd.Wait()
	if o.alive() {
		t.Error("a dead process counts as alive")
	}
}

func TestParseOwnerRefuses(t *testing.T) {
	for _, s := range []string{"", "a", "a/b/c/d", "a/b/0/d", "a/b/-1/d", "/b/1/d", "a//1/d", "a/b/1/", "a/b/1/d/e"} {
		if o, ok := parseOwner(s); ok {
			t.Errorf("%q is taken for %+v", s, o)
		}
	}
	if (owner{}).alive() || (owner{}).String() != "" {
		t.Error("nobody is alive")
	}
}
