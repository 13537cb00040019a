package runner

import (
	"testing"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// What a script takes over from files that a builder can change is found, and
// what only looks like it is not.
func TestUnfrozenSources(t *testing.T) {
	frozen := []string{"tests/lib.sh"}
	for script, want := range map[string]int{
		". ./lib.sh && sh tests/x.sh":             1,
		"source lib.sh":                           1,
		"cd x; . \"$HOME/lib.sh\"":                1,
		"if true; then . ./a.sh; fi":              1,
		"set -e\n. tests/other.sh\n. ./more.sh\n": 2,
		". tests/lib.sh":                          0,
		". .venv/bin/activate && pytest -q":       0,
		"find . -name '*.py' | grep . ":           0,
		"echo no source here; ls .":               0,
		"cp a . ":                                 0,
	} {
		if got := unfrozenSources("x", "verify", script, frozen); len(got) != want {
			t.Errorf("%q: %q", script, got)
		}
	}
}

// A tool's recipe counts where a verify runs the tool, and only there.
func TestRecipes(t *testing.T) {
	for verify, want := range map[string]bool{"make check": true, "cd x && make": true, "cmake .": false, "sh make.sh": false, "python3 -m pytest make": true} {
		if got := isRecipe("GNUmakefile", feature.List{{ID: "x", Verify: verify}}); got != want {
			t.Errorf("%q: %v", verify, got)
		}
	}
	for name, verify := range map[string]string{".npmrc": "npm test", ".cargo/config.toml": "cargo test", "package.json": "npx jest", "bunfig.toml": "bun test"} {
		if !isRecipe(name, feature.List{{Verify: verify}}) || isRecipe(name, feature.List{{Verify: "sh tests/x.sh"}}) {
			t.Errorf("%s of %s", name, verify)
		}
	}
	if !isRecipe("package.json", feature.List{{Verify: "npm test"}}) || isRecipe("package.json", feature.List{{Verify: "node --test"}}) {
		t.Error("package.json")
	}
}

// What init.sh installs is no runner of tests unless init.sh is frozen.
func TestUsesInstalled(t *testing.T) {
	for verify, want := range map[string]bool{
		". .venv/bin/activate && pytest": true, "venv/bin/python -m pytest": true, "npx jest": true, "./node_modules/.bin/jest": true,
		"PATH=$PWD/.venv/bin:$PATH pytest": true, "sh venv.sh": false, "npm test": false,
	} {
		if got := usesInstalled.MatchString(verify); got != want {
			t.Errorf("%q: %v", verify, got)
		}
	}
}
