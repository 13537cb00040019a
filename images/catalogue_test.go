package images

import (
	"regexp"
	"strings"
	"testing"
)

// Scripts and people rely on the names, and each image has a reason that can be shown.
func TestNames(t *testing.T) {
	if got := strings.Join(Names(), " "); got != "base python node go" {
		t.Errorf("names: %s", got)
	}
	if _, ok := Info(Default); !ok {
		t.Errorf("the default, %s, is none of ours", Default)
	}
	for _, name := range Names() {
		r, ok := Info(name)
		if !ok || r.Name != name {
			t.Fatalf("Info(%q) = %+v, %v", name, r, ok)
		}
		if len(r.Why) < 20 || len(r.Why) > 150 || strings.ContainsAny(r.Why, "#\n") {
			t.Errorf("%s: the why line reads %q", name, r.Why)
		}
		if !regexp.MustCompile(`^glovebox/` + name + `:[0-9a-f]{12}$`).MatchString(r.Tag) {
			t.Errorf("%s: tag %s", name, r.Tag)
		}
		if _, ok := Info(r.Parent); ok != (name != "base") {
			t.Errorf("%s: parent %q", name, r.Parent)
		}
	}
	for _, name := range []string{"", "ruby", "Python", "glovebox/python", "python:3", "debian:bookworm-slim"} {
		if _, ok := Info(name); ok {
			t.Errorf("%q counts as ours", name)
		}
	}
}

// A changed Dockerfile, and a changed one below it, is another image: nobody
// gets an old one under the new name.
func TestHash(t *testing.T) {
	base, _ := Info("base")
	python, _ := Info("python")
	if python.Tag == base.Tag {
		t.Error("two images have one tag")
	}
	changed := python
	changed.dockerfile = append([]byte("# "), python.dockerfile...)
	if hash(changed, DebianRef) == hash(python, DebianRef) {
		t.Error("the hash does not see the Dockerfile")
	}
	if hash(python, "debian:trixie-slim") == hash(python, DebianRef) {
		t.Error("the hash does not see what lies below the parent")
	}
	if again, _ := Info("python"); again.Tag != python.Tag {
		t.Error("the tag is not stable")
	}
}

// Dockerfiles must build behind a proxy, on any mirror, and leave no package lists behind.
func TestDockerfiles(t *testing.T) {
	for _, name := range Names() {
		text := string(dockerfile(name))
		for _, want := range []string{"FROM ${BASE}", "--no-install-recommends", "rm -rf /var/lib/apt/lists/*"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, never := range []string{"http:", "https:", "USER", "ENTRYPOINT", "VOLUME", "ENV", "_proxy"} {
			if strings.Contains(text, never) {
				t.Errorf("%s contains %q", name, never)
			}
		}
	}
}
