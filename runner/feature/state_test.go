package feature_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
)

const file = "features.json"

func list() feature.List {
	return feature.List{
		{ID: "add", Category: "functional", Description: "Add <b> & c", Steps: []string{"x"}, Verify: "a && b", Frozen: []string{"t.py"}},
		{ID: "list", Category: "style", Description: "List", Steps: []string{"y"}, Verify: "c"},
	}
}

func openRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// What is saved is loaded again, and only the owner can read it.
func TestSaveLoad(t *testing.T) {
	root, dir := openRoot(t)
	if _, err := feature.Load(root, file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing state: %v", err)
	}
	s := feature.State{Features: list(), Note: "colours", Approved: "person",
		Red: map[string]string{"add": "1 failed"}, Attempts: map[string]int{"add": 2}}
	if err := s.Save(root, file); err != nil {
		t.Fatal(err)
	}
	s.Features[0].Passes = true
	if err := s.Save(root, file); err != nil {
		t.Fatal(err)
	}
	got, err := feature.Load(root, file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, s) {
		t.Errorf("\ngot  %+v\nwant %+v", got, s)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A damaged truth stops the job; nothing is guessed.
func TestLoadDamage(t *testing.T) {
	root, dir := openRoot(t)
	s := feature.State{Features: list()}
	if err := s.Save(root, file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"cut", string(good[:len(good)/2]), "is damaged"},
		{"unknown field", strings.Replace(string(good), `"hash"`, `"hush"`, 1), "is damaged"},
		{"text after", string(good) + "{}", "text after its end"},
		{"version", strings.Replace(string(good), `"v": 1`, `"v": 2`, 1), "has format 2, and this glovebox reads format 1"},
		{"changed verify", strings.Replace(string(good), "a && b", "true", 1), "the list has hash"},
		{"too large", string(good) + strings.Repeat(" ", 4<<20), "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := feature.Load(root, file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The host's list is stable, can be read by people and models, and says what passes.
func TestPublic(t *testing.T) {
	l := list()[:1]
	l[0].Passes = true
	want := `[
  {
    "id": "add",
    "category": "functional",
    "description": "Add <b> & c",
    "steps": [
      "x"
    ],
    "verify": "a && b",
    "frozen": [
      "t.py"
    ],
    "passes": true
  }
]
`
	if got := string(feature.Public(l)); got != want {
		t.Errorf("got %s", got)
	}
	back, problems := feature.Parse(feature.Public(list()), 2)
	if len(problems) > 0 || feature.Hash(back) != feature.Hash(list()) {
		t.Errorf("the host's own list is read as %+v, %v", back, problems)
	}
	if string(feature.Public(nil)) != "[]\n" {
		t.Errorf("no features: %s", feature.Public(nil))
	}
}

// The hash is that of the agreement: progress doesn't change it, all else does.
func TestHash(t *testing.T) {
	base := feature.Hash(list())
	same := list()
	same[0].Passes, same[1].Blocked, same[1].Frozen = true, true, []string{}
	if feature.Hash(same) != base {
		t.Error("progress changed the hash")
	}
	if len(base) != 64 {
		t.Errorf("hash %q", base)
	}
	for name, change := range map[string]func(feature.List) feature.List{
		"verify": func(l feature.List) feature.List { l[0].Verify += " "; return l },
		"frozen": func(l feature.List) feature.List { l[0].Frozen = nil; return l },
		"order":  func(l feature.List) feature.List { l[0], l[1] = l[1], l[0]; return l },
		"fewer":  func(l feature.List) feature.List { return l[:1] },
	} {
		if feature.Hash(change(list())) == base {
			t.Errorf("%s: the hash stayed the same", name)
		}
	}
}

// The first feature that can be worked on is next.
func TestNext(t *testing.T) {
	l := list()
	for _, want := range []string{"add", "list", ""} {
		f, ok := feature.Next(l)
		if f.ID != want || ok != (want != "") {
			t.Errorf("next is %q, want %q", f.ID, want)
		}
		switch want {
		case "add":
			l[0].Blocked = true
		case "list":
			l[1].Passes = true
		}
	}
}
