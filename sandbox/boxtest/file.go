//go:build linux

package boxtest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// fileContract is about reading, writing and listing.
func fileContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"write, read":   writeRead,
		"mode and size": modeAndSize,
		"read refused":  readRefused,
		"write refused": writeRefused,
		"links":         links,
		"too large":     tooLarge,
		"list":          list,
		"list bounded":  listBounded,
		"large":         largeFile,
	}
}

func writeRead(t *testing.T, c contract) {
	b := c.open(t)
	ctx := context.Background()
	data := []byte("a\x00b\xffc\n")
	for _, path := range []string{"new", "deep/er/new", sandbox.Workspace + "/absolute", sandbox.Home + "/kept", "with space %41 ?&ä", "bytes\xff"} {
		_, existed, err := b.WriteFile(ctx, path, data)
		equal(t, "error of "+path, err, nil)
		equal(t, "existed", existed, false)
		f, got, err := b.ReadFile(ctx, path, 100)
		equal(t, "error of "+path, err, nil)
		equal(t, "content", string(got), string(data))
		equal(t, "file", f, sandbox.File{Path: path, Kind: sandbox.KindFile, Size: int64(len(data)), Mode: 0o644})
	}
	before, existed, err := b.WriteFile(ctx, "new", nil)
	equal(t, "error", err, nil)
	equal(t, "existed", existed, true)
	equal(t, "before", before.Size, int64(len(data)))
	_, got, err := b.ReadFile(ctx, "new", 100)
	equal(t, "error", err, nil)
	equal(t, "content", string(got), "")
	equal(t, "what a command sees", output(t, b, "cat deep/er/new"), string(data))
	equal(t, "nothing else", strings.Contains(output(t, b, "ls -A . deep/er"), ".glovebox-write"), false)
}

func modeAndSize(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "printf '#!/bin/sh\necho old' > script; chmod 750 script")
	before, existed, err := b.WriteFile(context.Background(), "script", []byte("#!/bin/sh\necho new"))
	equal(t, "error", err, nil)
	equal(t, "existed", existed, true)
	equal(t, "mode before", before.Mode, 0o750)
	equal(t, "size before", before.Size, 18)
	equal(t, "it still runs", output(t, b, "./script; stat -c %a script"), "new\n750\n")
}

func readRefused(t *testing.T, c contract) {
	b := c.open(t)
	ctx := context.Background()
	output(t, b, "mkdir folder; mkfifo pipe; touch file; ln -s loop loop")
	for path, want := range map[string]error{
		"missing": fs.ErrNotExist, "missing/file": fs.ErrNotExist, "folder": sandbox.ErrIsDir, ".": sandbox.ErrIsDir,
		"pipe": sandbox.ErrNotRegular, "/dev/zero": sandbox.ErrNotRegular, "file/below": sandbox.ErrNotDir,
		"": fs.ErrInvalid, "nul\x00": fs.ErrInvalid,
	} {
		_, data, err := b.ReadFile(ctx, path, 100)
		is(t, "read "+path, err, want)
		wantPathError(t, err, path)
		equal(t, "data", len(data), 0)
	}
	_, _, err := b.ReadFile(ctx, "loop", 100)
	wantPathError(t, err, "loop")
	_, _, err = b.ReadFile(ctx, strings.Repeat("x", 5000), 100)
	wantPathError(t, err, strings.Repeat("x", 5000))
	f, _, _ := b.ReadFile(ctx, "folder", 100)
	equal(t, "kind", f.Kind, sandbox.KindDir)
	f, _, _ = b.ReadFile(ctx, "pipe", 100)
	equal(t, "kind", f.Kind, sandbox.KindOther)
	equal(t, "after them", output(t, b, "echo on"), "on\n")
}

func writeRefused(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "mkdir folder; mkfifo pipe; echo kept > file")
	for path, want := range map[string]error{
		"folder": sandbox.ErrIsDir, "pipe": sandbox.ErrNotRegular, "file/below": sandbox.ErrNotDir, "": fs.ErrInvalid,
	} {
		_, _, err := b.WriteFile(context.Background(), path, []byte("x"))
		is(t, "write "+path, err, want)
		wantPathError(t, err, path)
	}
	_, _, err := b.WriteFile(context.Background(), "/proc/file", []byte("x"))
	wantPathError(t, err, "/proc/file")
	equal(t, "file", output(t, b, "cat file; ls"), "kept\nfile\nfolder\npipe\n")
}

// links are followed: projects have them, and in the box they lead nowhere else.
func links(t *testing.T, c contract) {
	b := c.open(t)
	ctx := context.Background()
	output(t, b, "mkdir a b; echo one > a/file; ln -s ../a/file b/link; ln -s b/link again; ln -s a/later dangling; ln -s a folder")
	for _, path := range []string{"b/link", "again", "folder/file"} {
		f, data, err := b.ReadFile(ctx, path, 100)
		equal(t, "error", err, nil)
		equal(t, "content", string(data), "one\n")
		equal(t, "kind", f.Kind, sandbox.KindFile)
	}
	_, existed, err := b.WriteFile(ctx, "again", []byte("two\n"))
	equal(t, "error", err, nil)
	equal(t, "existed", existed, true)
	_, existed, err = b.WriteFile(ctx, "dangling", []byte("three\n"))
	equal(t, "error", err, nil)
	equal(t, "existed", existed, false)
	equal(t, "targets", output(t, b, "cat a/file a/later; readlink again dangling"), "two\nthree\nb/link\na/later\n")
}

func tooLarge(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "printf 0123456789 > file")
	for _, max := range []int64{10, 11, 9, 0, -5} {
		f, data, err := b.ReadFile(context.Background(), "file", max)
		equal(t, "size", f.Size, 10)
		if max >= 10 {
			equal(t, "error", err, nil)
			equal(t, "content", string(data), "0123456789")
			continue
		}
		is(t, "error", err, sandbox.ErrTooLarge)
		equal(t, "content", string(data), "0123456789"[:maxInt(max, 0)])
	}
	// A file that says it is empty and is not.
	_, data, err := b.ReadFile(context.Background(), "/proc/self/status", 5)
	is(t, "error", err, sandbox.ErrTooLarge)
	equal(t, "content", string(data), "Name:")
}

func list(t *testing.T, c contract) {
	b := c.open(t)
	ctx := context.Background()
	output(t, b, "mkdir -p d/e/f; echo 12345 > d/file; touch d/e/f/deep; ln -s / d/link; mkfifo d/pipe; chmod 600 d/file; mkdir empty")
	entries, more, err := b.List(ctx, "d", 2, 100)
	equal(t, "error", err, nil)
	equal(t, "more", more, false)
	want := map[string]sandbox.Kind{"e": sandbox.KindDir, "e/f": sandbox.KindDir, "file": sandbox.KindFile, "link": sandbox.KindLink, "pipe": sandbox.KindOther}
	equal(t, "entries", len(entries), len(want))
	last := ""
	for _, e := range entries {
		equal(t, "kind of "+e.Path, e.Kind, want[e.Path])
		equal(t, "sorted", e.Path > last, true)
		last = e.Path
		if e.Path == "file" {
			equal(t, "file", e, sandbox.File{Path: "file", Kind: sandbox.KindFile, Size: 6, Mode: 0o600})
		}
	}
	entries, _, err = b.List(ctx, "empty", 3, 100)
	equal(t, "error", err, nil)
	equal(t, "entries", len(entries), 0)
	_, _, err = b.List(ctx, "missing", 1, 100)
	is(t, "missing", err, fs.ErrNotExist)
	_, _, err = b.List(ctx, "d/file", 1, 100)
	is(t, "file", err, sandbox.ErrNotDir)
	wantPathError(t, err, "d/file")
}

// listBounded: node_modules has a hundred thousand files.
func listBounded(t *testing.T, c contract) {
	b := c.open(t)
	output(t, b, "mkdir -p a/b top; i=0; while [ $i -lt 300 ]; do : > a/b/$i; i=$((i+1)); done")
	entries, more, err := b.List(context.Background(), ".", 5, 10)
	equal(t, "error", err, nil)
	equal(t, "more", more, true)
	equal(t, "entries", len(entries), 10)
	var all []string
	for _, e := range entries {
		all = append(all, e.Path)
	}
	for _, upper := range []string{"a", "top", "a/b"} {
		if !strings.Contains(" "+strings.Join(all, " ")+" ", " "+upper+" ") {
			t.Errorf("%q is not in %q", upper, all)
		}
	}
	_, more, err = b.List(context.Background(), "a/b", 1, 300)
	equal(t, "error", err, nil)
	equal(t, "more, exactly as many as asked for", more, false)
}

func largeFile(t *testing.T, c contract) {
	b := c.open(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	if _, _, err := b.WriteFile(context.Background(), "large", data); err != nil {
		t.Fatal(err)
	}
	_, got, err := b.ReadFile(context.Background(), "large", 16<<20)
	equal(t, "error", err, nil)
	equal(t, "same", bytes.Equal(got, data), true)
}

// wantPathError: callers show the path as they know it.
func wantPathError(t *testing.T, err error, path string) {
	t.Helper()
	var p *fs.PathError
	if !errors.As(err, &p) {
		t.Errorf("%.100q: got error %v, want an *fs.PathError", path, err)
	} else if p.Path != path || len(p.Err.Error()) > 600 {
		t.Errorf("%.100q: got error %.800v", path, err)
	}
}

func maxInt(a, b int64) int64 { return max(a, b) }
