package main

import (
	"errors"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/runner"
	"github.com/glovebox-run/glovebox/sandbox"
)

// The defaults that people see in --help are the design's.
func TestDefaultFlagsAreTheDefaultLimits(t *testing.T) {
	defaults := map[string]string{"memory": "2g", "cpus": "2", "pids": "2048", "disk": "4g", "timeout": "2m"}
	got, err := parseLimits(func(name string) string { return defaults[name] })
	if err != nil || got != sandbox.DefaultLimits() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestValues(t *testing.T) {
	if n, err := parseBytes("memory", "1.5g", minMemory); err != nil || n != 3<<29 {
		t.Errorf("got %d, %v", n, err)
	}
	for value, want := range map[string]time.Duration{"0": 0, "90s": 90 * time.Second, "8h": 8 * time.Hour} {
		if d, err := parseMaxTime(value); err != nil || d != want {
			t.Errorf("--max-time %s: got %v, %v", value, d, err)
		}
	}
	if d, err := parseDuration("timeout", "90s"); err != nil || d != 90*time.Second {
		t.Errorf("got %v, %v", d, err)
	}
	if m, err := parseMoney("budget", "$0.50"); err != nil || m.String() != "0.5" {
		t.Errorf("got %v, %v", m, err)
	}
}

// A value that could be misread is refused, never guessed.
func TestBadValues(t *testing.T) {
	bytes := func(v string) error { _, err := parseBytes("memory", v, minMemory); return err }
	cpus := func(v string) error { _, err := parseCPUs(v); return err }
	pids := func(v string) error { _, err := parseCount("pids", v, minPIDs, 1<<22); return err }
	times := func(v string) error { _, err := parseDuration("timeout", v); return err }
	money := func(v string) error { _, err := parseMoney("budget", v); return err }
	maxTime := func(v string) error { _, err := parseMaxTime(v); return err }
	tools := func(v string) error { _, err := parseTools(v); return err }
	scope := func(v string) error { _, err := parseScope(v); return err }
	for _, x := range []struct {
		parse  func(string) error
		values []string
	}{
		{bytes, []string{"", "lots", "-1g", "2x", "1k", "0", "NaN", "2g2g", "1e30"}},
		{cpus, []string{"", "NaN", "Inf", "-1", "0", "two", "1e9"}},
		{pids, []string{"", "0", "-5", "1.5", "many", "99999999999999999999"}},
		{times, []string{"", "2", "0s", "-1m", "forever", "9999h"}},
		{money, []string{"", "-1", "1e9", "five", "NaN", "1,50", "99999999999999999"}},
		{scope, []string{"", "box", "Call"}},
		{maxTime, []string{"", "8", "1ms", "-1h", "never", "9999999h"}},
		{tools, []string{"", "json", "Text"}},
	} {
		for _, v := range x.values {
			var e *runner.Error
			if err := x.parse(v); !errors.As(err, &e) || e.Outcome != runner.Usage || e.Hint == "" {
				t.Errorf("%q: got %v", v, err)
			}
		}
	}
}
