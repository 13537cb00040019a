package tool_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/glovebox-run/glovebox/runner/tool"
)

// numbered is a file of n lines "line 1" to "line n".
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

func picture(t *testing.T) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What read says of everything that may lie at a path.
func TestRead(t *testing.T) {
	b := &memory{files: map[string]string{
		"todo.py": "a\n  b\n", "no-end": "x", "empty": "", "crlf.txt": "a\r\nb\r\n", "long.txt": numbered(1000),
		"logo.png": picture(t), "bad.png": "\x89PNG\r\n\x1a\nnope", "data.bin": "a\x00b", "latin1.txt": "caf\xe9 au lait",
		"fifo": "a pipe", "wide.js": strings.Repeat("x", 20_000) + "\nend\n", "src/a.py": "", "src/deep/er/b.py": "",
		".git/config": "", ".glovebox/x": "", "/etc/hostname": "box\n", "/home/glovebox/out/3.txt": "full\n",
		"umlaut.txt": strings.Repeat("ü", 4000) + "x\n",
	}}
	for _, c := range []struct {
		name string
		u    tool.Use
		want string
		ok   bool
	}{
		{"whole", tool.Use{Path: "todo.py"}, "todo.py · lines 1-2 of 2 · 6 B\na\n  b", true},
		{"absolute", tool.Use{Path: "/workspace/./todo.py"}, "todo.py · lines 1-2 of 2 · 6 B\na\n  b", true},
		{"no end", tool.Use{Path: "no-end"}, "no-end · lines 1-1 of 1 · 1 B\nx", true},
		{"empty", tool.Use{Path: "empty"}, "empty · empty", true},
		{"CRLF", tool.Use{Path: "crlf.txt"}, "crlf.txt · lines 1-2 of 2 · 6 B · line ends CRLF\na\nb", true},
		{"part", tool.Use{Path: "long.txt", Offset: 41, Limit: 2}, "long.txt · lines 41-42 of 1000 · 8.7 KB\nline 41\nline 42\n[the file goes on: read with offset 43]", true},
		{"end", tool.Use{Path: "long.txt", Offset: 999}, "long.txt · lines 999-1000 of 1000 · 8.7 KB\nline 999\nline 1000", true},
		{"beyond", tool.Use{Path: "long.txt", Offset: 2000}, "long.txt has 1000 lines; there is no line 2000.", false},
		{"home", tool.Use{Path: "$HOME/out/3.txt"}, "$HOME/out/3.txt · lines 1-1 of 1 · 5 B\nfull", true},
		{"elsewhere in the box", tool.Use{Path: "../etc/hostname"}, "/etc/hostname · lines 1-1 of 1 · 4 B\nbox", true},
		{"picture", tool.Use{Path: "logo.png"}, "logo.png · picture (image/png, 3 × 2); pictures can't be shown here · 75 B · not shown", true},
		{"broken picture", tool.Use{Path: "bad.png"}, "bad.png · picture (image/png); pictures can't be shown here · 12 B · not shown", true},
		{"binary", tool.Use{Path: "data.bin"}, "data.bin · binary (application/octet-stream) · 3 B · not shown", true},
		{"not UTF-8", tool.Use{Path: "latin1.txt"}, "latin1.txt · text that is not UTF-8 (see it with bash and iconv) · 12 B · not shown", true},
		{"pipe", tool.Use{Path: "fifo"}, "fifo is a pipe, socket or device. Nothing was read.", false},
		{"folder", tool.Use{Path: "src/"}, "src · folder · 3 entries, 2 levels\na.py\ndeep/\ndeep/er/", true},
		{"missing", tool.Use{Path: "src/b.py"}, "src/b.py isn't there. In src: a.py, deep/", false},
		{"missing folder", tool.Use{Path: "lib/b.py"}, "lib/b.py isn't there.", false},
		{"missing in /tmp", tool.Use{Path: "/tmp/out.log"}, "/tmp/out.log isn't there: /tmp is new in every call. Use $HOME for files that must stay.", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.u.Name = tool.Read
			r := run(t, b, c.u, nil)
			if r.Text != c.want || r.OK != c.ok || r.Changed {
				t.Errorf("\ngot  %q %v\nwant %q %v", r.Text, r.OK, c.want, c.ok)
			}
		})
	}
	if got := run(t, b, tool.Use{Name: tool.Read, Path: "long.txt"}, nil).Text; !strings.HasSuffix(got, "line 400\n[the file goes on: read with offset 401]") {
		t.Errorf("400 lines are the default: …%q", got[len(got)-60:])
	}
	if got := run(t, b, tool.Use{Name: tool.Read, Path: "wide.js"}, nil).Text; len(got) > 17_000 || !strings.Contains(got, "[3.5 KB more in this line]\n[the file goes on: read with offset 2]") {
		t.Errorf("a wide line makes %d bytes", len(got))
	}
	if got := run(t, b, tool.Use{Name: tool.Read, Path: "umlaut.txt"}, nil).Text; strings.Contains(got, "not shown") {
		t.Error("a character at the edge of what is looked at made a text binary")
	}
	if got := run(t, b, tool.Use{Name: tool.Read, Path: "."}, nil).Text; strings.Contains(got, ".git") || strings.Contains(got, ".glovebox") || !strings.Contains(got, "src/a.py") {
		t.Errorf("the workspace: %s", got)
	}
}

// A file beyond what is read at all can still be looked at, in parts.
func TestReadHuge(t *testing.T) {
	b := &memory{files: map[string]string{"huge.log": strings.Repeat("0123456789abcde\n", 400_000)}}
	got := run(t, b, tool.Use{Name: tool.Read, Path: "huge.log", Offset: 5, Limit: 1}, nil).Text
	if want := "huge.log · lines 5-5 of more than 262144 · 6.1 MB\n0123456789abcde\n[the file goes on: read with offset 6]"; got != want {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
	got = run(t, b, tool.Use{Name: tool.Edit, Path: "huge.log", Old: "0", New: "1"}, nil).Text
	if want := "huge.log is larger than 4.0 MB: use bash (sed, head, grep). Nothing was changed."; got != want {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
}

// What write says: what was replaced, and what may have been lost with it.
func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name, path, old, content, want string
		changed                        bool
	}{
		{"new", "a.py", "", "x\ny\n", "wrote a.py · 2 lines · 4 B", true},
		{"replaced", "a.py", "1\n2\n3", "x\n", "wrote a.py · 1 line · 2 B (was: 3 lines)", true},
		{"same", "a.py", "x\n", "x\n", "a.py · 1 line · 2 B · it had exactly this content already: nothing changed", false},
		{"shrunk", "a.py", numbered(412), numbered(38), "wrote a.py · 38 lines · 295 B (was: 412 lines)\n[replaced 412 lines by 38: if that was not meant, write the whole file again]", true},
		{"placeholder", "a.py", "", "def a():\n    # ... rest unchanged\n", "wrote a.py · 2 lines · 34 B\n[the line \"# ... rest unchanged\" is in the file as it stands: write replaces all of it, and nothing of the old content was kept]", true},
		{"frozen", "/workspace/tests/test_add.py", "1\n", "x\n", "wrote tests/test_add.py · 1 line · 2 B (was: 1 line)\ntests/test_add.py belongs to the host; your change will be undone before verification.", true},
		{"lost", "/tmp/x.py", "", "x\n", "wrote /tmp/x.py · 1 line · 2 B\n/tmp/x.py is gone again already: /tmp is new in every call. Use $HOME for files that must stay.", true},
		{"refused", "/etc/passwd", "", "x", "/etc/passwd can't be written: permission denied. Only /workspace, $HOME and /tmp are writable.", false},
		{"folder", "src", "", "x", "src is a folder. Nothing was written.", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &memory{files: map[string]string{"src/a": ""}}
			if name := strings.TrimPrefix(c.path, "/workspace/"); c.old != "" {
				b.files[name] = c.old
			}
			env := usual()
			env.Frozen = []string{"tests/test_add.py"}
			r := run(t, b, tool.Use{Name: tool.Write, Path: c.path, Content: c.content}, env)
			if r.Text != c.want || r.Changed != c.changed {
				t.Errorf("\ngot  %q %v\nwant %q %v", r.Text, r.Changed, c.want, c.changed)
			}
			if got := b.files[strings.TrimPrefix(c.path, "/workspace/")]; c.changed && got != c.content {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// What edit changes, to the byte, and what it says.
func TestEdit(t *testing.T) {
	for _, c := range []struct {
		name, file, old, new string
		all                  bool
		want, text           string
	}{
		{"one", "a\nb\nc\n", "b\n", "x\ny\n", false, "a\nx\ny\nc\n", "edited f · line 2 · -1 +2"},
		{"same ends", "def a():\n    return 1\n", "def a():\n    return 1\n", "def a():\n    return 2\n", false, "def a():\n    return 2\n", "edited f · line 1 · -1 +1"},
		{"removed", "a\nb\n", "a\n", "", false, "b\n", "edited f · line 1 · -1 +0"},
		{"inside a line", "x = 1; y = 1\n", "y = 1", "y = 2", false, "x = 1; y = 2\n", "edited f · line 1 · -1 +1"},
		{"all", "a b a\na\n", "a", "c", true, "c b c\nc\n", "edited f · 3 places (lines 1, 1, 2) · -3 +3"},
		{"no overlaps", "aaaa", "aa", "b", true, "bb", "edited f · 2 places (lines 1, 1) · -2 +2"},
		{"CRLF file", "a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", false, "x\r\ny\r\nz\r\nc\r\n", "edited f · line 1 · -2 +3"},
		{"CRLF call", "a\nb\n", "a\r\nb\r\n", "x\r\n", false, "x\n", "edited f · line 1 · -2 +1"},
		{"mixed file", "a\r\nb\nc\r\nd\n", "b\nc\n", "x\n", false, "a\r\nx\r\nd\n", "edited f · line 2 · -2 +1"},
		{"ambiguous", "a\nb\na\nc\na\n", "a\n", "x\n", false, "a\nb\na\nc\na\n", "old_string occurs 3 times in f (lines 1, 3, 5). Nothing was changed. Add lines around it until it is unique, or set replace_all."},
		{"blanks differ", "def a():\n        return 1\n", "def a():\n    return 1", "x", false, "def a():\n        return 1\n",
			"old_string is not in f (2 lines). Nothing was changed. Closest, lines 1-2:\ndef a():\n        return 1\nCopy it exactly."},
		{"one word differs", numbered(40) + "x = compute(total)\n", "x = compute(sum)", "y", false, numbered(40) + "x = compute(total)\n",
			"old_string is not in f (41 lines). Nothing was changed. Closest, line 41:\nx = compute(total)\nCopy it exactly."},
		{"invented", "a\nb\n", "something quite different", "y", false, "a\nb\n",
			"old_string is not in f (2 lines). Nothing was changed. Nothing in the file is like it; read the file first."},
		{"line ends only", "a\nb\n", "a\nb", "a\r\nb", false, "a\nb\n", "old_string and new_string differ in line ends only. Nothing was changed."},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &memory{files: map[string]string{"f": c.file}}
			r := run(t, b, tool.Use{Name: tool.Edit, Path: "f", Old: c.old, New: c.new, All: c.all}, nil)
			if b.files["f"] != c.want {
				t.Errorf("\nfile %q\nwant %q", b.files["f"], c.want)
			}
			if r.Text != c.text || r.OK != (c.want != c.file) || r.Changed != r.OK {
				t.Errorf("\ngot  %q %+v\nwant %q", r.Text, r, c.text)
			}
		})
	}
	r := run(t, &memory{files: map[string]string{"g": ""}}, tool.Use{Name: tool.Edit, Path: "f", Old: "a", New: "b"}, nil)
	if r.Text != "f isn't there. In /workspace: g" || r.OK {
		t.Errorf("a missing file: %+v", r)
	}
	env := usual()
	env.Frozen = []string{"f"}
	r = run(t, &memory{files: map[string]string{"f": "a"}}, tool.Use{Name: tool.Edit, Path: "f", Old: "a", New: "b"}, env)
	if !strings.HasSuffix(r.Text, "\nf belongs to the host; your change will be undone before verification.") {
		t.Errorf("a frozen file: %q", r.Text)
	}
}

// Two misses on a small file are enough guessing; a change starts the count anew.
func TestEditMissesAdviseWrite(t *testing.T) {
	b := &memory{files: map[string]string{"small": numbered(300), "large": numbered(301)}}
	env := usual()
	miss := func(path string) bool {
		r := run(t, b, tool.Use{Name: tool.Edit, Path: path, Old: "nothing like that at all", New: "x"}, env)
		return strings.Contains(r.Text, "rewrite it as a whole with write.")
	}
	if miss("small") || !miss("/workspace/small") {
		t.Error("the advice belongs to the second miss")
	}
	for range 3 {
		if miss("large") {
			t.Error("a large file must not be rewritten")
		}
	}
	run(t, b, tool.Use{Name: tool.Write, Path: "small", Content: "x\n"}, env)
	if miss("small") {
		t.Error("a write did not reset the count")
	}
}

// An edit changes the one place and keeps every other byte, whatever the line
// ends and wherever it lies.
func TestEditKeepsTheRest(t *testing.T) {
	line := rapid.StringMatching(`[a-c ]{0,4}`)
	end := rapid.SampledFrom([]string{"\n", "\r\n"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string {
			var s string
			for range rapid.IntRange(0, 4).Draw(t, name) {
				s += line.Draw(t, name) + end.Draw(t, name)
			}
			return s
		}
		before, after := text("before"), text("after")
		middle := "<" + text("middle") + ">"
		b := &memory{files: map[string]string{"f": before + middle + after}}
		old := strings.ReplaceAll(middle, "\r\n", "\n")
		r, err := tool.Run(t.Context(), b, tool.Use{Name: tool.Edit, Path: "f", Old: old, New: "[new]"}, usual())
		if err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}
		if want := before + "[new]" + after; b.files["f"] != want {
			t.Fatalf("got %q, want %q", b.files["f"], want)
		}
	})
}

// The search for the closest lines ends in time for the largest file.
func TestClosestIsBounded(t *testing.T) {
	b := &memory{files: map[string]string{"f": strings.Repeat("a fairly usual line of some program text\n", 100_000)}}
	old := strings.Repeat("a fairly usual line of other program text\n", 40)
	r := run(t, b, tool.Use{Name: tool.Edit, Path: "f", Old: old, New: "x"}, nil)
	if n := strings.Count(r.Text, "\n"); n != 21 {
		t.Errorf("%d lines of answer, want 20 real ones and one of advice", n+1)
	}
}

// A smaller window gets smaller pieces.
func TestNumbersFor(t *testing.T) {
	for _, c := range []struct{ window, head, tail, read int }{
		{0, 4096, 8192, 16384}, {200_000, 4096, 8192, 16384}, {64_000, 4096, 8192, 16384},
		{40_000, 2048, 4096, 16000}, {16_000, 1024, 2048, 6400},
	} {
		if n := tool.NumbersFor(c.window); n.Head != c.head || n.Tail != c.tail || n.ReadBytes != c.read {
			t.Errorf("%d: %+v", c.window, n)
		}
	}
	env := usual()
	env.Numbers = tool.NumbersFor(16_000)
	b := &memory{files: map[string]string{"f": numbered(4000)}}
	if got := run(t, b, tool.Use{Name: tool.Read, Path: "f", Limit: 4000}, env).Text; len(got) > 6600 {
		t.Errorf("a read of %d bytes in a small window", len(got))
	}
}
