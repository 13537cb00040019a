//go:build linux

package boxtest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// outputContract is about what a command writes and what is kept of it.
func outputContract() map[string]func(*testing.T, contract) {
	return map[string]func(*testing.T, contract){
		"one pipe":    onePipe,
		"head, tail":  headTail,
		"binary":      binaryOutput,
		"large":       largeOutput,
		"save":        saveOutput,
		"save prunes": savePrunes,
		"save fails":  saveFails,
		"pipeline":    pipeline,
	}
}

// onePipe: a compiler's message must stand where it came, between the lines around it.
func onePipe(t *testing.T, c contract) {
	b := c.open(t)
	want := ""
	for i := range 50 {
		want += "out " + itoa(i) + "\nerr " + itoa(i) + "\n"
	}
	script := "i=0; while [ $i -lt 50 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
	equal(t, "order", output(t, b, script), want)
}

func headTail(t *testing.T, c contract) {
	b := c.open(t)
	const all = "0123456789"
	for _, test := range []struct {
		head, tail       int
		wantHead, wantTl string
	}{
		{0, 0, "", ""}, {0, 3, "", "789"}, {3, 0, "012", ""}, {3, 4, "012", "6789"},
		{5, 4, "01234", "6789"}, {5, 5, "01234", "56789"}, {6, 5, "012345", "6789"},
		{10, 0, all, ""}, {0, 10, "", all}, {9, 1, "012345678", "9"}, {100, 100, all, ""},
	} {
		cmd := shell("printf " + all)
		cmd.Head, cmd.Tail = test.head, test.tail
		r := run(t, b, cmd)
		what := itoa(test.head) + "+" + itoa(test.tail) + " "
		equal(t, what+"head", string(r.Head), test.wantHead)
		equal(t, what+"tail", string(r.Tail), test.wantTl)
		equal(t, what+"elided", r.Elided, int64(len(all)-len(test.wantHead)-len(test.wantTl)))
	}
}

func binaryOutput(t *testing.T, c contract) {
	b := c.open(t)
	equal(t, "bytes", output(t, b, `printf '\000\001\377\r\n\033[31m'`), "\x00\x01\xff\r\n\x1b[31m")
}

// largeOutput: a build that prints for minutes is counted to the byte, in
// memory that does not grow with it.
func largeOutput(t *testing.T, c contract) {
	b := c.open(t)
	cmd := shell("head -c 50000000 /dev/zero; printf end")
	cmd.Head, cmd.Tail = 1000, 1000
	r := run(t, b, cmd)
	equal(t, "head", len(r.Head), 1000)
	equal(t, "tail", string(r.Tail), strings.Repeat("\x00", 997)+"end")
	equal(t, "elided", r.Elided, 50000003-2000)
}

func saveOutput(t *testing.T, c contract) {
	b := c.open(t)
	cmd := shell("head -c 5000000 /dev/zero | tr '\\000' x")
	cmd.Head, cmd.Tail, cmd.Save = 10, 10, sandbox.Home+"/out/some/log.txt"
	r := run(t, b, cmd)
	equal(t, "saved", r.Saved, true)
	equal(t, "elided", r.Elided, 5000000-20)
	f, data, err := b.ReadFile(context.Background(), cmd.Save, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "size", f.Size, 4<<20)
	equal(t, "content", string(data) == strings.Repeat("x", 4<<20), true)

	cmd = shell("echo again")
	cmd.Save = sandbox.Home + "/out/some/log.txt"
	run(t, b, cmd)
	_, data, err = b.ReadFile(context.Background(), cmd.Save, 100)
	equal(t, "error", err, nil)
	equal(t, "content of the second", string(data), "again\n")
}

// savePrunes: outputs must not fill the disk of a job that makes thousands of calls.
func savePrunes(t *testing.T, c contract) {
	b := c.open(t)
	if _, _, err := b.WriteFile(context.Background(), sandbox.Home+"/out/notes.txt", nil); err != nil {
		t.Fatal(err)
	}
	for i := 5; i <= 12; i++ {
		cmd := shell("echo " + itoa(i))
		cmd.Save = sandbox.Home + "/out/" + itoa(i) + ".txt"
		run(t, b, cmd)
	}
	equal(t, "files", names(t, b, sandbox.Home+"/out"), "10.txt 11.txt 12.txt 8.txt 9.txt notes.txt")
}

// saveFails: a full disk or a directory in the way is no reason to fail a command.
func saveFails(t *testing.T, c contract) {
	b := c.open(t)
	for _, save := range []string{"/proc/no/file", "/dev/null/file", "/"} {
		cmd := shell("echo hello")
		cmd.Save = save
		r := run(t, b, cmd)
		equal(t, "saved to "+save, r.Saved, false)
		equal(t, "output", r.Output(), "hello\n")
	}
}

// pipeline: what the other processes of a pipeline wrote before the shell
// ended belongs to the call, to the last byte.
func pipeline(t *testing.T, c contract) {
	b := c.open(t)
	for range 20 {
		r := run(t, b, shell("(head -c 200000 /dev/zero; printf end) | cat & wait"))
		equal(t, "bytes", int64(len(r.Head)+len(r.Tail))+r.Elided, 200003)
		equal(t, "end", strings.HasSuffix(string(r.Tail), "end"), true)
	}
}

// names are the entries of a directory, joined.
func names(t *testing.T, b *sandbox.Box, dir string) string {
	t.Helper()
	entries, more, err := b.List(context.Background(), dir, 1, 100)
	if err != nil || more {
		t.Fatalf("list %s: more %v, %v", dir, more, err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Path)
	}
	return strings.Join(all, " ")
}

// until asks again until done says so; a box's processes end in their own time.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: did not happen", what)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// sameSet compares without order.
func sameSet(a, b []string) bool {
	count := map[string]int{}
	for _, s := range a {
		count[s]++
	}
	for _, s := range b {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// is is errors.Is as a check.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want one that is %v", what, err, want)
	}
}
