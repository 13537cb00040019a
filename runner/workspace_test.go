package runner

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// I6: whatever a session puts where the host reads or writes, nothing is
// followed, nothing blocks, and nothing outside or in the state changes.
func TestI6HostFollowsNothing(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, []byte("mine"), 0o600))
	plant := map[string]func(t *testing.T, dir string){
		"link out": func(t *testing.T, dir string) { must(t, os.Symlink(outside, filepath.Join(dir, "sub/file"))) },
		"link to the state": func(t *testing.T, dir string) {
			must(t, os.Symlink("../.glovebox/secret", filepath.Join(dir, "sub/file")))
		},
		"parent links out":    func(t *testing.T, dir string) { relink(t, dir, filepath.Dir(outside)) },
		"parent is the state": func(t *testing.T, dir string) { relink(t, dir, ".glovebox") },
		"pipe":                func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, "sub/file"), 0o644)) },
		"directory":           func(t *testing.T, dir string) { must(t, os.MkdirAll(filepath.Join(dir, "sub/file/x"), 0o755)) },
	}
	for name, put := range plant {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			must(t, os.Mkdir(filepath.Join(dir, stateDir), 0o700))
			must(t, os.WriteFile(filepath.Join(dir, stateDir, "secret"), []byte("truth"), 0o600))
			must(t, os.WriteFile(filepath.Join(dir, stateDir, "file"), []byte("truth"), 0o600))
			must(t, os.WriteFile(filepath.Join(filepath.Dir(outside), "file"), []byte("mine"), 0o600))
			put(t, dir)
			root, err := os.OpenRoot(dir)
			must(t, err)
			defer root.Close()
			w := workspace{root: root}
			within(t, func() {
				if data, err := w.read("sub/file", 100); err == nil {
					t.Errorf("read %q", data)
				}
				if f, err := w.open("sub/file"); err == nil {
					f.Close()
					t.Error("opened it")
				}
				must(t, w.write("sub/file", []byte("new"), 0o644))
			})
			if data, err := w.read("sub/file", 100); err != nil || string(data) != "new" {
				t.Errorf("after writing: %q, %v", data, err)
			}
			for path, want := range map[string]string{
				outside: "mine", filepath.Join(filepath.Dir(outside), "file"): "mine",
				filepath.Join(dir, stateDir, "secret"): "truth", filepath.Join(dir, stateDir, "file"): "truth",
			} {
				if data, _ := os.ReadFile(path); string(data) != want {
					t.Errorf("%s is %q now", path, data)
				}
			}
		})
	}
}

func relink(t *testing.T, dir, target string) {
	t.Helper()
	must(t, os.Remove(filepath.Join(dir, "sub")))
	must(t, os.Symlink(target, filepath.Join(dir, "sub")))
}

// within fails the test when f blocks.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the host is held up")
	}
}

func TestPathsOfTheStateAreRefused(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	w := workspace{root: root}
	for _, name := range []string{".glovebox", ".glovebox/job.json", "../x", "/etc/passwd", ".", "a/../../x", ""} {
		if err := w.write(name, nil, 0o644); err == nil {
			t.Errorf("wrote %q", name)
		}
		if _, err := w.read(name, 10); err == nil {
			t.Errorf("read %q", name)
		}
	}
}
