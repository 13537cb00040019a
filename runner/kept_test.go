package runner

import (
	"regexp"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/sandbox"
)

var keptID = regexp.MustCompile(`box="([^"]+)"`)

// What a call leaves running goes on, is looked at and ended by later calls,
// and is over before the host verifies. The model is told all of it.
func TestKeptBox(t *testing.T) {
	var said []string
	id := ""
	w := newWorld(t, nil)
	w.o.Scope = sandbox.ScopeCall
	w.o.Model = actor(func(r model.Request) model.Reply {
		if !isFor(r, "hello") {
			return greeter(r)
		}
		last := lastSaid(r)
		said = append(said, last)
		if m := keptID.FindStringSubmatch(last); m != nil && id == "" {
			id = m[1]
		}
		switch {
		case turnOf(r) == 0:
			return says(bash("mkfifo pipe; (cat pipe; sleep 1000) & echo started"))
		case turnOf(r) == 1:
			return says(bash("echo from the next call > pipe"), call("bash", "box", id))
		case strings.Contains(last, "None is kept"):
			return says(bash("rm pipe; sleep 1000 & true"), finish("too early"))
		case strings.Contains(last, "Not done"):
			return says(write("hello.sh", "echo hello\n"), finish("hello says hello"))
		case !strings.Contains(last, "from the next call"): // it arrives in its own time
			return says(bash("echo "+strings.Repeat("x", turnOf(r))), call("bash", "box", id))
		}
		return says(call("bash", "box", id, "command", "rm -rf /"), call("bash", "box", "nope"),
			call("bash", "box", id, "command", "stop"), call("bash", "box", id))
	})
	w.done()
	all := strings.Join(said, "\n----\n")
	for _, want := range []string{
		"started\n[Still running: ", " · running: ", "from the next call",
		"with box, command is left out", "There is no box \"nope\" that runs. Kept are: ", "was ended, with all that ran in it.", "None is kept.",
		"[The boxes that still ran were ended before the verification.]",
	} {
		if !strings.Contains(w.told()+all, want) {
			t.Errorf("the model was not told %q:\n%s", want, all)
		}
	}
}

// Reads that follow one another run at the same time, in boxes of their own,
// and are answered in their order; what comes after them waits for them.
func TestReadsRunTogether(t *testing.T) {
	w := newWorld(t, nil)
	w.o.Scope = sandbox.ScopeCall
	w.o.Model = actor(func(r model.Request) model.Reply {
		if isFor(r, "hello") && turnOf(r) == 0 {
			return says(call("read", "path", "README.md"), call("read", "path", "nope"), call("read", "path", "tests/bye.sh"),
				bash("rm README.md"), call("read", "path", "README.md"))
		}
		return greeter(r)
	})
	w.done()
	var starts, ends []int
	var texts []string
	together := false
	for _, e := range w.events {
		switch {
		case e.Session != 2 || e.Turn != 1:
		case e.Kind == ledger.CallStart:
			starts = append(starts, e.Call.Number)
			together = together || len(starts)-len(ends) > 1
		case e.Kind == ledger.CallEnd:
			ends = append(ends, e.Result.Number)
			texts = append(texts, firstLine(e.Result.Text))
		}
	}
	if !together {
		t.Error("the reads ran one after the other")
	}
	for i := range ends {
		if starts[i] != i+1 || ends[i] != i+1 {
			t.Fatalf("started %v, ended %v", starts, ends)
		}
	}
	for i, want := range []string{"README.md · ", "nope isn't there.", "tests/bye.sh · ", "exit 0 · ", "README.md isn't there."} {
		if i >= len(texts) || !strings.HasPrefix(texts[i], want) {
			t.Errorf("call %d: %q, want %q", i+1, texts, want)
		}
	}
}

// A kept box in which nothing runs any more is ended; the model is told so, and
// what it wrote at last.
func TestKeptBoxThatIsOver(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, nil)
	w.o.Scope = sandbox.ScopeCall
	w.o.Model = actor(func(r model.Request) model.Reply {
		switch {
		case !isFor(r, "hello") || told != "":
			return greeter(r)
		case turnOf(r) == 0:
			return says(bash("mkfifo pipe; (cat pipe; echo bye) & true"))
		case turnOf(r) == 1:
			return says(bash("echo go > pipe"))
		case strings.Contains(lastSaid(r), "it was ended"):
			told = lastSaid(r)
			return says(bash("rm pipe"))
		}
		return says(bash("echo turn " + strings.Repeat("x", turnOf(r)))) // it is noticed in its own time
	})
	w.done()
	if !strings.Contains(told, ": nothing ran in it any more, it was ended; its last output:\ngo\nbye]") {
		t.Errorf("the model was told:\n%s", told)
	}
}

// A kept box that ends by itself, while nobody has a call in it, is told.
func TestKeptBoxThatDied(t *testing.T) {
	t.Parallel()
	told := ""
	w := newWorld(t, nil)
	w.o.Scope = sandbox.ScopeCall
	w.o.Model = actor(func(r model.Request) model.Reply {
		switch {
		case !isFor(r, "hello") || told != "":
			return greeter(r)
		case turnOf(r) == 0:
			return says(bash("sleep 1000 & true"))
		case turnOf(r) == 1:
			w.engine.Kill(keptID.FindStringSubmatch(lastSaid(r))[1])
		case strings.Contains(lastSaid(r), " is gone: "):
			told = lastSaid(r)
		}
		return says(bash("echo turn " + strings.Repeat("x", turnOf(r)))) // it is noticed in its own time
	})
	w.done()
	if noted := strings.Count(w.history(), " is gone: "); noted != 1 {
		t.Errorf("the ledger tells it %d times", noted)
	}
	if strings.Count(told, " is gone: ") != 1 || !strings.Contains(told, sandbox.ErrBoxLost.Error()) {
		t.Errorf("the model was told:\n%s", told)
	}
}
