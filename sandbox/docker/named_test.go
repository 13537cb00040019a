package docker

import (
	"slices"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// A command that meets a limit is told which one: by the kernel's own count,
// whatever the command makes of it. What meets none is told none.
func TestI7HitLimitsAreNamed(t *testing.T) {
	e := testEngine(t)
	tests := map[string]struct {
		script string
		want   []sandbox.Limit
		exit   int
	}{
		"nothing":           {"echo fine", nil, 0},
		"a failure":         {"exit 3", nil, 3},
		"137 by choice":     {"exit 137", nil, 137},
		"SIGKILL by choice": {"kill -KILL $$", nil, -1},
		"memory":            {"head -c 500m /dev/zero | tail", []sandbox.Limit{sandbox.LimitMemory}, 137},
		"memory, survived":  {"head -c 500m /dev/zero | tail; echo on", []sandbox.Limit{sandbox.LimitMemory}, 0},
		"pids":              {"n=0; while test $n -lt 100; do sleep 60 & n=$((n+1)); done", []sandbox.Limit{sandbox.LimitPIDs}, 2},
		"file size":         {"exec dd if=/dev/zero of=big bs=1M count=8", []sandbox.Limit{sandbox.LimitFileSize}, -1},
		"file size, shell":  {"dd if=/dev/zero of=big bs=1M count=8", []sandbox.Limit{sandbox.LimitFileSize}, 153},
		"/tmp":              {"dd if=/dev/zero of=/tmp/a bs=1M count=3; dd if=/dev/zero of=/tmp/b bs=1M count=3", []sandbox.Limit{sandbox.LimitTemp}, 1},
		"/tmp, succeeds":    {"dd if=/dev/zero of=/tmp/a bs=1M count=3; dd if=/dev/zero of=/tmp/b bs=1M count=3; echo on", []sandbox.Limit{sandbox.LimitTemp}, 0},
		"/dev/shm":          {"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do dd if=/dev/zero of=/dev/shm/$i bs=1M count=4; done; echo on", []sandbox.Limit{sandbox.LimitShared}, 0},
		"output":            {"seq 1000000", []sandbox.Limit{sandbox.LimitOutput}, 0},
		"time":              {"sleep 60", []sandbox.Limit{sandbox.LimitTime}, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBox(t, e, smallSpec(t, e))
			c := shell(test.script)
			if name == "time" {
				c.Timeout = c.Timeout / 30
			}
			r, err := b.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Hit, test.want) || r.ExitCode != test.exit {
				t.Errorf("exit code %d, limits %q, want %d, %q: %.300s", r.ExitCode, r.Hit, test.exit, test.want, r.Output())
			}
		})
	}
}

// A temporary file system that was filled by an earlier command is no news to
// one that succeeds.
func TestFullTempIsToldOnce(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, smallSpec(t, e))
	fill := "dd if=/dev/zero of=/tmp/a bs=1M count=3; dd if=/dev/zero of=/tmp/b bs=1M count=3; true"
	for _, c := range []struct {
		script string
		want   []sandbox.Limit
	}{
		{fill, []sandbox.Limit{sandbox.LimitTemp}},
		{"true", nil},
		{"echo x >>/tmp/b", []sandbox.Limit{sandbox.LimitTemp}},
	} {
		r, err := b.Run(t.Context(), shell(c.script))
		if err != nil || !slices.Equal(r.Hit, c.want) {
			t.Errorf("%s: limits %q, want %q, %v: %s", c.script, r.Hit, c.want, err, r.Output())
		}
	}
}

// A limit is the box's. When two commands run in it, it is said that the other
// one may have met it; afterwards a command is alone again, and what the box met
// before is not told again.
func TestHitLimitIsSharedHonestly(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, smallSpec(t, e))
	output(t, b, "mkfifo begun ended")
	waiting := make(chan sandbox.Result, 1)
	go func() {
		r, err := b.Run(t.Context(), shell("echo >begun; cat ended"))
		if err != nil {
			t.Error(err)
		}
		waiting <- r
	}()
	output(t, b, "cat begun") // the other one runs
	hog, err := b.Run(t.Context(), shell("head -c 500m /dev/zero | tail; true"))
	if err != nil {
		t.Fatal(err)
	}
	output(t, b, "echo >ended")
	for who, r := range map[string]sandbox.Result{"the hog": hog, "the other": <-waiting} {
		if !slices.Equal(r.Hit, []sandbox.Limit{sandbox.LimitMemory}) || !r.Shared {
			t.Errorf("%s: limits %q, shared %v", who, r.Hit, r.Shared)
		}
	}
	r, err := b.Run(t.Context(), shell("head -c 500m /dev/zero | tail"))
	if err != nil || !slices.Equal(r.Hit, []sandbox.Limit{sandbox.LimitMemory}) || r.Shared {
		t.Errorf("alone: limits %q, shared %v, %v", r.Hit, r.Shared, err)
	}
	if r, err := b.Run(t.Context(), shell("true")); err != nil || len(r.Hit) > 0 {
		t.Errorf("after it: limits %q, %v", r.Hit, err)
	}
}

// What a call left running may meet a limit later: who looks into its box is
// told, once, and so is the next command, with the word that something else ran.
func TestHitLimitOfWhatIsLeft(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, smallSpec(t, e))
	hog := "(while ! test -e go; do :; done; head -c 500m /dev/zero | tail) >/dev/null 2>&1 & true"
	if r, err := b.Run(t.Context(), shell(hog)); err != nil || len(r.Left) == 0 || len(r.Hit) > 0 {
		t.Fatalf("limits %q, left %v, %v", r.Hit, r.Left, err)
	}
	if _, _, err := b.WriteFile(t.Context(), "go", nil); err != nil {
		t.Fatal(err)
	}
	var hit []sandbox.Limit
	until(t, "the limit is told", func() bool {
		left, err := b.Left(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hit = append(hit, left.Hit...)
		return len(hit) > 0
	})
	if left, err := b.Left(t.Context()); err != nil || !slices.Equal(hit, []sandbox.Limit{sandbox.LimitMemory}) || len(left.Hit) > 0 {
		t.Errorf("limits %q, then %q, %v", hit, left.Hit, err)
	}
	if r, err := b.Run(t.Context(), shell("(head -c 500m /dev/zero | tail) >/dev/null 2>&1 & true")); err != nil || len(r.Left) == 0 {
		t.Fatalf("left %v, %v", r.Left, err)
	}
	until(t, "the next command tells it", func() bool {
		r, err := b.Run(t.Context(), shell("true"))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Hit) > 0 && (r.Hit[0] != sandbox.LimitMemory || !r.Shared) {
			t.Errorf("limits %q, shared %v", r.Hit, r.Shared)
		}
		return len(r.Hit) > 0
	})
}
