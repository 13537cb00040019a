package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretName(t *testing.T) {
	for name, want := range map[string]bool{
		"OPENROUTER_API_KEY": true, "OPENAI_API_KEY": true, "GLOVEBOX_API_KEY": true, "GITHUB_TOKEN": true,
		"aws_secret": true, "TOKEN": true, "PATH": false, "KEYBOARD": false, "HOME": false, "MONKEY": false,
	} {
		if got := secretName(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A secret may lie in a file that a variable names.
func TestRedactSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-a-file-0123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRedactor([]string{"OPENAI_API_KEY_FILE=" + file, "OTHER_FILE=" + file, "A_KEY_FILE=/nowhere", "B_KEY_FILE=" + t.TempDir(), "C_KEY_FILE="})
	if got := r.String("is from-a-file-0123 " + file); got != "is [redacted] "+file {
		t.Errorf("got %q", got)
	}
	if got := newRedactor([]string{"OTHER_FILE=" + file}).String("from-a-file-0123"); got != "from-a-file-0123" {
		t.Errorf("a file that is no secret: %q", got)
	}
}

// The terminal gets texts in pieces of any size; a key must not slip through
// between two of them, and nothing but keys may change or get lost.
func TestRedactWriterByteByByte(t *testing.T) {
	r := newRedactor([]string{
		"OPENROUTER_API_KEY=sk-or-v1-0123456789", "X_TOKEN=sk-or-v1-0123", "OPENAI_API_KEY=none", "PATH=/usr/bin:/bin:/sbin",
		`DB_PASSWORD=p"a\s&word`,
	})
	for _, x := range []struct{ in, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{"sk-or-v1-0123456789", "[redacted]"},
		{"a sk-or-v1-0123456789 b", "a [redacted] b"},
		{"sk-or-v1-0123456789sk-or-v1-0123456789", "[redacted][redacted]"},
		{"sk-or-v1-01234567", "[redacted]4567"}, // the shorter secret, then its rest
		{"sk-sk-or-v1-0123456789", "sk-[redacted]"},
		{"sk-or-v1-012", "sk-or-v1-012"}, // none of them
		{`p"a\s&word`, "[redacted]"},
		{`{"x":"p\"a\\s\u0026word"}`, `{"x":"[redacted]"}`}, // in JSON
		{"none /usr/bin:/bin:/sbin", "none /usr/bin:/bin:/sbin"},
		{"ssssk-or-v1-0123456789\n", "sss[redacted]\n"},
	} {
		for size := 1; size <= len(x.in)+1; size++ {
			var out bytes.Buffer
			w := r.Writer(&out)
			for in := x.in; in != ""; {
				n := min(size, len(in))
				if got, err := w.Write([]byte(in[:n])); err != nil || got != n {
					t.Fatalf("write: %d, %v", got, err)
				}
				in = in[n:]
			}
			if err := w.Flush(); err != nil || out.String() != x.want {
				t.Errorf("%q in pieces of %d: got %q, want %q", x.in, size, out.String(), x.want)
			}
		}
		if got := r.String(x.in); got != x.want {
			t.Errorf("%q: got %q, want %q", x.in, got, x.want)
		}
	}
}

// What is held back is bounded by the longest secret, so a line appears when it is written.
func TestRedactWriterHoldsLittle(t *testing.T) {
	var out bytes.Buffer
	w := newRedactor([]string{"A_KEY=secret-secret"}).Writer(&out)
	if _, err := w.Write([]byte(strings.Repeat("x", 1<<16) + "s\n")); err != nil {
		t.Fatal(err)
	}
	if out.Len() != 1<<16+2 {
		t.Errorf("%d bytes are held back", 1<<16+2-out.Len())
	}
}
