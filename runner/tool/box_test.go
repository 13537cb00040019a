package tool_test

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

// memory is a box whose files are a map and whose commands give what the test says.
type memory struct {
	files  map[string]string
	result sandbox.Result
	err    error // of everything, the box's own
	ran    []sandbox.Command
}

func (m *memory) Run(_ context.Context, c sandbox.Command) (sandbox.Result, error) {
	m.ran = append(m.ran, c)
	return m.result, m.err
}

func (m *memory) ID() string { return "b1" }

func (m *memory) isDir(p string) bool {
	for name := range m.files {
		if p == "." && !path.IsAbs(name) || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

func (m *memory) ReadFile(_ context.Context, p string, max int64) (sandbox.File, []byte, error) {
	f := sandbox.File{Path: p, Kind: sandbox.KindFile}
	if m.err != nil {
		return f, nil, m.err
	}
	data, ok := m.files[p]
	switch {
	case m.isDir(p):
		return f, nil, &fs.PathError{Op: "read", Path: p, Err: sandbox.ErrIsDir}
	case !ok:
		return f, nil, &fs.PathError{Op: "read", Path: p, Err: fs.ErrNotExist}
	case data == "a pipe":
		return f, nil, &fs.PathError{Op: "read", Path: p, Err: sandbox.ErrNotRegular}
	case int64(len(data)) > max:
		f.Size = int64(len(data))
		return f, []byte(data[:max]), &fs.PathError{Op: "read", Path: p, Err: sandbox.ErrTooLarge}
	}
	f.Size = int64(len(data))
	return f, []byte(data), nil
}

func (m *memory) WriteFile(_ context.Context, p string, data []byte) (sandbox.File, bool, error) {
	f := sandbox.File{Path: p, Kind: sandbox.KindFile}
	if m.err != nil {
		return f, false, m.err
	}
	if m.isDir(p) {
		return f, false, &fs.PathError{Op: "write", Path: p, Err: sandbox.ErrIsDir}
	}
	if strings.HasPrefix(p, "/etc/") {
		return f, false, &fs.PathError{Op: "write", Path: p, Err: fs.ErrPermission}
	}
	old, existed := m.files[p]
	f.Size = int64(len(old))
	m.files[p] = string(data)
	return f, existed, nil
}

func (m *memory) List(_ context.Context, dir string, depth, max int) ([]sandbox.File, bool, error) {
	if m.err != nil {
		return nil, false, m.err
	}
	if !m.isDir(dir) {
		return nil, false, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	kinds := map[string]sandbox.Kind{}
	for name := range m.files {
		rest := name
		if dir != "." {
			var ok bool
			if rest, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
		} else if path.IsAbs(name) {
			continue
		}
		parts := strings.Split(rest, "/")
		for i := range min(depth, len(parts)) {
			kind := sandbox.KindDir
			if i == len(parts)-1 {
				kind = sandbox.KindFile
			}
			kinds[strings.Join(parts[:i+1], "/")] = kind
		}
	}
	var entries []sandbox.File
	for name, kind := range kinds {
		entries = append(entries, sandbox.File{Path: name, Kind: kind})
	}
	slices.SortFunc(entries, func(a, b sandbox.File) int { return strings.Compare(a.Path, b.Path) })
	return entries[:min(max, len(entries))], len(entries) > max, nil
}

// run does u in b with env, or with the usual one.
func run(t testing.TB, b tool.Box, u tool.Use, env *tool.Env) tool.Result {
	t.Helper()
	if env == nil {
		env = usual()
	}
	r, err := tool.Run(t.Context(), b, u, env)
	if err != nil {
		t.Fatal(err)
	}
	if r.Text == "" {
		t.Error("a result without a text")
	}
	return r
}

func usual() *tool.Env {
	return &tool.Env{Shell: "bash", Scope: sandbox.ScopeCall, Limits: sandbox.DefaultLimits()}
}
