//go:build linux

package boxtest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// treeContract is about a workspace that lives with the engine.
func treeContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"there and back":  thereAndBack,
		"only changes":    onlyChanges,
		"hostile tree":    hostileTree,
		"refused":         treeRefused,
		"too large":       treeTooLarge,
		"names only":      namesOnly,
		"known elsewhere": knownElsewhere,
		"no such volume":  noVolume,
	}
}

// inVolume is the contract with workspace and home in new volumes, which every
// engine must have.
func (c contract) inVolume(t *testing.T) contract {
	t.Helper()
	v, ok := c.engine.(sandbox.Volumes)
	if !ok {
		t.Fatal("the engine has no volumes")
	}
	make := func(kind sandbox.VolumeKind) string {
		name, err := v.CreateVolume(t.Context(), sandbox.VolumeSpec{Kind: kind, Job: c.spec.Job, User: c.spec.User, Image: c.spec.Image})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := v.RemoveVolume(context.Background(), name); err != nil {
				t.Error(err)
			}
			if has, err := v.HasVolume(context.Background(), name, c.spec.Job); has || err != nil {
				t.Errorf("after its removal the volume is there: %v, %v", has, err)
			}
		})
		if has, err := v.HasVolume(t.Context(), name, c.spec.Job); !has || err != nil {
			t.Errorf("a new volume is not there: %v", err)
		}
		if has, err := v.HasVolume(t.Context(), name, "another job"); has || err != nil {
			t.Errorf("a new volume belongs to another job: %v", err)
		}
		return name
	}
	c.spec.Workspace, c.spec.Home, c.spec.Hidden = "", "", []string{".glovebox"}
	c.spec.WorkspaceVolume, c.spec.HomeVolume = make(sandbox.VolumeWorkspace), make(sandbox.VolumeHome)
	return c
}

// mirror is a directory of the host, with its copy in /workspace.
func mirror(t *testing.T) (*sandbox.Mirror, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	if err := os.Mkdir(filepath.Join(dir, ".glovebox"), 0o700); err != nil {
		t.Fatal(err)
	}
	fill(t, dir, ".glovebox/ledger", "precious")
	return &sandbox.Mirror{Root: root, Private: ".glovebox", Staging: ".glovebox/incoming",
		Owner: sandbox.User{UID: os.Getuid(), GID: os.Getgid()}, MaxBytes: 8 << 20, MaxEntries: 1000}, dir
}

func fill(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		at := filepath.Join(dir, files[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(files[i+1]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func push(t *testing.T, b *sandbox.Box, m *sandbox.Mirror) sandbox.Moved {
	t.Helper()
	moved, err := b.Push(t.Context(), m, sandbox.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

func pull(t *testing.T, b *sandbox.Box, m *sandbox.Mirror) sandbox.Moved {
	t.Helper()
	moved, err := b.Pull(t.Context(), m, sandbox.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// content is what the host's directory holds, "" where there is nothing.
func content(dir, name string) string {
	data, _ := os.ReadFile(filepath.Join(dir, name))
	return string(data)
}

// thereAndBack: what a host writes boxes see, and the other way round, in the
// next box too; all of it belongs to the box's user there.
func thereAndBack(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	fill(t, dir, "a", "one", "d/e", "two", "bytes\xff", "x", ".glovebox-incoming/x", "nobody's")
	if err := os.Symlink("../a", filepath.Join(dir, "d/link")); err != nil {
		t.Fatal(err)
	}
	b := c.open(t)
	push(t, b, m)
	equal(t, "in the box", output(t, b, "cat a d/e d/link; test -w . && test -w d && test -O a; ls -A . | grep -v '^\\.glovebox$' | tr '\\n' ' '"), "onetwoonea bytes\xff d ")
	output(t, b, "echo three > d/new; rm a; mv d/e e; chmod 755 e; echo kept > $HOME/kept; ln -s /etc/passwd out; cp e d/link2")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = c.open(t)
	pull(t, b, m)
	equal(t, "new", content(dir, "d/new"), "three\n")
	equal(t, "moved", content(dir, "e"), "two")
	equal(t, "gone", content(dir, "a")+content(dir, "d/e"), "")
	target, err := os.Readlink(filepath.Join(dir, "out"))
	equal(t, "link", target, "/etc/passwd")
	equal(t, "error", err, nil)
	info, err := os.Stat(filepath.Join(dir, "e"))
	equal(t, "error", err, nil)
	equal(t, "mode", info.Mode(), fs.FileMode(0o755))
	equal(t, "state", content(dir, ".glovebox/ledger"), "precious")
	entries, err := os.ReadDir(filepath.Join(dir, ".glovebox"))
	equal(t, "error", err, nil)
	equal(t, "entries of the state", len(entries), 1)
}

// onlyChanges: a large tree must not travel for a small change.
func onlyChanges(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	for i := range 50 {
		fill(t, dir, "d/"+itoa(i), "x")
	}
	b := c.open(t)
	equal(t, "first push", push(t, b, m), sandbox.Moved{Entries: 51})
	equal(t, "second push", push(t, b, m), sandbox.Moved{})
	equal(t, "pull", pull(t, b, m), sandbox.Moved{})
	output(t, b, "echo y > d/7; rm d/8; mkdir n; mkfifo pipe")
	equal(t, "pull of a change", pull(t, b, m), sandbox.Moved{Entries: 2, Gone: 1, Other: 1})
	fill(t, dir, "d/9", "from here", "d/7", "from here")
	output(t, b, "echo there > d/7; rm d/10")
	os.WriteFile(filepath.Join(dir, "d/10"), []byte("mine"), 0o644)
	moved := pull(t, b, m) // both have changed d/7: the box's; what I have changed stays
	equal(t, "d/7 d/9 d/10", content(dir, "d/7")+content(dir, "d/9")+content(dir, "d/10"), "there\nfrom heremine")
	equal(t, "pull", moved.Gone, 1)
	push(t, b, m)
	equal(t, "in the box", output(t, b, "cat d/7 d/9 d/10"), "there\nfrom heremine")
}

// hostileTree: what a session leaves must not hang the agent or reach the host.
func hostileTree(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	b := c.open(t)
	fill(t, dir, "d/known", "x", "closed/known", "y")
	push(t, b, m)
	output(t, b, `mkfifo pipe; ln -s / all; ln -s loop loop; chmod 000 closed; echo s > secret; chmod 000 secret
		rm -r d; ln -s /etc d; printf x > 'a
b'; p=; i=0; while [ $i -lt 600 ]; do p=${p}deep/; i=$((i+1)); done; mkdir -p $p && cd $p && mkdir -p $p`)
	moved := pull(t, b, m)
	equal(t, "left out", moved.Other >= 2, true)
	equal(t, "closed", content(dir, "closed/known"), "y")
	equal(t, "secret", content(dir, "secret"), "s\n")
	equal(t, "odd name", content(dir, "a\nb"), "x")
	target, _ := os.Readlink(filepath.Join(dir, "d"))
	equal(t, "link", target, "/etc")
	equal(t, "after it", output(t, b, "echo on"), "on\n")
	fill(t, dir, "new", "z")
	push(t, b, m)
	equal(t, "pushed", output(t, b, "cat new"), "z")
}

// treeRefused: an agent that can't do it says so; the box is as good as before.
func treeRefused(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	fill(t, dir, "a", "x")
	b := c.open(t)
	output(t, b, "touch file; ln -s /tmp link")
	var p *fs.PathError
	for _, place := range []string{"missing", "file", "link"} {
		_, err := b.Push(t.Context(), m, place)
		equal(t, "push to "+place+" is refused", errors.As(err, &p), true)
		_, err = b.Pull(t.Context(), m, place)
		equal(t, "pull from "+place+" is refused", errors.As(err, &p), true)
	}
	_, err := b.Push(t.Context(), m, "/proc") // where nothing can be made
	equal(t, "push to /proc is refused", errors.As(err, &p), true)
	equal(t, "after it", output(t, b, "echo on"), "on\n")
}

// treeTooLarge: more than is taken changes nothing.
func treeTooLarge(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	b := c.open(t)
	fill(t, dir, "known", "x")
	push(t, b, m)
	output(t, b, "echo new > known; head -c 9000000 /dev/zero > big")
	_, err := b.Pull(t.Context(), m, sandbox.Workspace)
	is(t, "error", err, sandbox.ErrTreeTooLarge)
	equal(t, "known", content(dir, "known"), "x")
}

// namesOnly: of the copy for a proof the host needs to know what changed and
// what is there, not the content of all that was installed.
func namesOnly(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	m.NamesOnly, m.Except = true, []string{"node_modules"}
	fill(t, dir, "a", "x", "node_modules/kept", "y")
	b := c.open(t)
	push(t, b, m)
	output(t, b, "echo new > a; echo new > b; echo new > node_modules/b; echo new > node_modules/kept")
	pull(t, b, m)
	for name, want := range map[string]string{"a": "new\n", "b": "", "node_modules/kept": "new\n", "node_modules/b": ""} {
		equal(t, name, content(dir, name), want)
	}
	_, err := os.Stat(filepath.Join(dir, "b"))
	equal(t, "the name of b", err, nil)
	push(t, b, m)
	equal(t, "b in the box", output(t, b, "cat b"), "new\n")
}

// knownElsewhere: another process goes on with what the first one knew.
func knownElsewhere(t *testing.T, c contract) {
	c = c.inVolume(t)
	m, dir := mirror(t)
	fill(t, dir, "a", "x", "b", "y")
	b := c.open(t)
	push(t, b, m)
	output(t, b, "echo new > a; rm b; echo c > c")
	var saved strings.Builder
	equal(t, "error", m.Save(&saved), nil)
	next := &sandbox.Mirror{Root: m.Root, Private: m.Private, Staging: m.Staging, Owner: m.Owner, MaxBytes: m.MaxBytes, MaxEntries: m.MaxEntries}
	equal(t, "error", next.Load(strings.NewReader(saved.String())), nil)
	equal(t, "moved", pull(t, b, next), sandbox.Moved{Entries: 2, Gone: 1})
	equal(t, "a b c", content(dir, "a")+content(dir, "b")+content(dir, "c"), "new\nc\n")
	if err := next.Load(strings.NewReader(saved.String()[1:])); err == nil && len(saved.String()) < 20 {
		t.Error("half of it is taken")
	}
}

// noVolume: an engine must not make an empty one in the place of one that was
// removed, or its emptiness would be taken for the project's.
func noVolume(t *testing.T, c contract) {
	c = c.inVolume(t)
	c.spec.WorkspaceVolume += "-other"
	b, err := sandbox.Open(t.Context(), c.engine, c.spec)
	if err == nil {
		b.Close()
	}
	is(t, "error", err, sandbox.ErrNoVolume)
}
