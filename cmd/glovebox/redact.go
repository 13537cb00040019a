package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
)

// redacted stands where a secret stood.
const redacted = "[redacted]"

// minSecret is the shortest value in bytes that is taken for a secret: people
// set keys like "none" or "ollama" for servers that want any, and removing
// those words from everything would hide more than it protects.
const minSecret = 8

// secretSuffixes are the ends of the names of variables that hold secrets.
// They cover the keys of all providers, and what tools commonly use.
func secretSuffixes() []string {
	return []string{"_API_KEY", "_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_PASS", "_CREDENTIALS"}
}

// secretName says that a variable of this name holds a secret.
func secretName(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(secretSuffixes(), func(s string) bool {
		return strings.HasSuffix(name, s) || name == s[1:]
	})
}

// redactor removes the values of secret variables from texts.
type redactor struct {
	secrets  [][]byte // longest first, so that a secret within another one doesn't leave its rest
	replacer *strings.Replacer
}

// newRedactor takes the secrets from an environment of K=V, and from the files
// that it names as K_FILE=PATH.
func newRedactor(env []string) *redactor {
	var values []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if base, ok := strings.CutSuffix(strings.ToUpper(name), "_FILE"); ok {
			name, value = base, secretFile(value, secretName(base))
		}
		value = strings.TrimSpace(value)
		if secretName(name) && len(value) >= minSecret {
			values = append(values, value, inJSON(value))
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	values = slices.Compact(values)
	r := &redactor{}
	var pairs []string
	for _, v := range values {
		r.secrets = append(r.secrets, []byte(v))
		pairs = append(pairs, v, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// maxSecretFile bounds the file of a secret in bytes.
const maxSecretFile = 64 << 10

// secretFile is what a file holds that a variable ..._KEY_FILE names, if it is
// a file that can be read at once.
func secretFile(name string, wanted bool) string {
	info, err := os.Stat(name)
	if !wanted || err != nil || !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return ""
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(text)
}

// inJSON is a secret as it stands in a JSON text, where some characters are
// written in another way.
func inJSON(secret string) string {
	text, err := json.Marshal(secret)
	if err != nil {
		return secret
	}
	return string(text[1 : len(text)-1])
}

// String is s without secrets.
func (r *redactor) String(s string) string { return r.replacer.Replace(s) }

// Writer is w without secrets. A secret that arrives in pieces is recognised:
// the end of what was written is held back while it may be the beginning of
// one. Flush at the end.
func (r *redactor) Writer(w io.Writer) *redactWriter { return &redactWriter{r: r, w: w} }

type redactWriter struct {
	r    *redactor
	w    io.Writer
	held []byte // shorter than the longest secret
}

// Write implements io.Writer. It is not safe for concurrent use.
func (w *redactWriter) Write(p []byte) (int, error) {
	w.held = append(w.held, p...)
	var out []byte
	for len(w.held) > 0 {
		secret, part := w.at()
		if part {
			break
		}
		if secret > 0 {
			out, w.held = append(out, redacted...), w.held[secret:]
			continue
		}
		out, w.held = append(out, w.held[0]), w.held[1:]
	}
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := w.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// at looks at the beginning of what is held: the length of the secret that
// stands there, or whether it may still become one.
func (w *redactWriter) at() (secret int, part bool) {
	for _, s := range w.r.secrets {
		if bytes.HasPrefix(w.held, s) {
			return len(s), false
		}
		if bytes.HasPrefix(s, w.held) {
			return 0, true
		}
	}
	return 0, false
}

// Flush writes what was held back, which is no secret because nothing follows.
func (w *redactWriter) Flush() error {
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.w.Write([]byte(w.r.String(string(w.held))))
	w.held = nil
	return err
}
