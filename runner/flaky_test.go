package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/runner/model"
)

// coin is a verify that looks at a file outside of every box: what it says does
// not depend on the program's files. Each character of the file is one answer.
func coin(t *testing.T, answers string) (command string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "answers")
	must(t, os.WriteFile(file, []byte(answers), 0o644))
	return `a=$(head -c 1 ` + file + `); tail -c +2 ` + file + ` > ` + file + `.rest; mv ` + file + `.rest ` + file + `; echo "says $a"; [ "$a" = g ]`
}

// A verify that says two things of the same files is run three times, and is no
// pass, however often it was green. State, ledger and the next session know it.
func TestFlakyVerifyDoesNotPass(t *testing.T) {
	t.Parallel()
	// Red at planning, red before the session; then green on the same files, and
	// in doubt twice more.
	for answers, want := range map[string]string{
		"rrggr": "it was green, green, red",
		"rrggg": "it was green, green, green, and the opposite before",
	} {
		t.Run(answers, func(t *testing.T) {
			told := ""
			w := newWorld(t, planned(coin(t, answers+"rrrrrrrrr"), func(r model.Request) model.Reply {
				if turnOf(r) == 0 {
					return says(finish("done"))
				}
				told = lastSaid(r)
				return says(blocked("no"))
			}))
			w.o.Features, w.o.MaxSessions = 1, 2
			w.ends(Incomplete)
			if w.count(ledger.Passed) != 0 || w.count(ledger.Flaky) == 0 {
				t.Fatalf("%d passes, %d times flaky\n%s", w.count(ledger.Passed), w.count(ledger.Flaky), w.history())
			}
			if !strings.Contains(told, "verify is flaky") || !strings.Contains(told, want) {
				t.Errorf("the model is told %q", told)
			}
			s, err := ReadStatus(w.o.Dir)
			if err != nil || !strings.Contains(s.Flaky["hello"], "different results on the same files") {
				t.Errorf("status: %v, %v", s.Flaky, err)
			}
		})
	}
}

// Once flaky, a verify must be green three times in a row on other files.
func TestFlakyVerifyIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, planned(coin(t, "rrggr"+"ggg"+"r"+"g"), func(r model.Request) model.Reply {
		if turnOf(r) == 0 {
			return says(finish("done"))
		}
		return says(write("mended.sh", "x\n"), finish("done"))
	}))
	w.o.Features = 1
	if s := w.done(); len(s.Flaky) != 0 {
		t.Errorf("still flaky: %v", s.Flaky)
	}
	again := 0
	for _, e := range w.events {
		if e.Kind == ledger.VerifyEnd && e.Verify.Why == whyAgain {
			again++
		}
	}
	if again != 4 { // two for the doubt, two before it is believed
		t.Errorf("it was run again %d times\n%s", again, w.history())
	}
}

// What passed and turns out to be flaky loses its pass; the session that meets
// it is not blamed and keeps what it has done.
func TestFlakyRegressionBlamesNobody(t *testing.T) {
	t.Parallel()
	toss := coin(t, "r"+"r"+"g"+"r"+"r"+"grg"+"ggg"+"ggg"+"r"+"g")
	w := newWorld(t, func(r model.Request) model.Reply {
		switch {
		case isPlan(r):
			list := strings.Replace(planCalls("hello", "bye")[3].Arguments, `sh tests/hello.sh`, strings.ReplaceAll(strings.ReplaceAll(toss, `\`, `\\`), `"`, `\\\"`), 1)
			calls := planCalls("hello", "bye")
			calls[3].Arguments = list
			return says(calls...)
		case isFor(r, "hello") && strings.Contains(task(r), "It passed before"):
			return says(write("hello.sh", "echo hello # steady\n"), finish("steady"))
		case isFor(r, "bye") && turnOf(r) > 0: // nothing is changed: the same files again
			return says(finish("bye says bye"))
		}
		return greeter(r)
	})
	w.done()
	flaky := false
	for _, e := range w.events {
		if e.Kind == ledger.Unpassed {
			flaky = flaky || e.Feature == "hello" && strings.Contains(e.Text, "flaky") && e.Commit == nil
		}
	}
	if !flaky {
		t.Errorf("hello did not lose its pass as flaky\n%s", w.history())
	}
}
