package runner

import (
	"crypto/sha256"
	"regexp"

	"github.com/glovebox-run/glovebox/runner/tool"
)

// Thresholds of the loop detector: how often the same thing may happen before
// the model is told (nudge), and before the session ends. A command may be
// repeated more often than a file operation: polling is honest as long as
// something differs. One flag, --loop, multiplies them all, so that they keep
// their proportions.
const (
	loopBashNudge, loopBashEnd     = 4, 8
	loopFileNudge, loopFileEnd     = 3, 6
	loopPeriodNudge, loopPeriodEnd = 3, 5 // of the same two or three calls in turn
	loopLongest                    = 3    // calls in a period
)

// loop notices a session that goes in circles: the same call with the same
// result, or the same few calls in turn. A failing command is no loop, results
// that differ are none, and a file that changed is progress.
type loop struct {
	patience int // factor of the thresholds; 0: never a loop
	seen     []mark
	nudged   bool // in this streak: one nudge each
}

// mark is one call with its result.
type mark struct {
	hash [sha256.Size]byte
	bash bool
}

// loopState is what the detector says after a call.
type loopState int

const (
	loopNone loopState = iota
	loopNudge
	loopEnd
)

var digits = regexp.MustCompile(`[0-9]+`)

// add takes a call and what came of it. period and times say what repeated how often.
func (l *loop) add(name tool.Name, args, result string, changed bool) (state loopState, period, times int) {
	if changed || l.patience == 0 {
		*l = loop{patience: l.patience}
		return loopNone, 0, 0
	}
	// Durations, process ids and the like differ each time and hide real loops.
	result = digits.ReplaceAllString(result, "0")
	l.seen = append(l.seen, mark{sha256.Sum256([]byte(string(name) + "\x00" + args + "\x00" + result)), name == tool.Bash})
	if most := loopLongest * loopBashEnd * l.patience; len(l.seen) > most {
		l.seen = l.seen[len(l.seen)-most:]
	}
	longest := 0
	for period = 1; period <= loopLongest; period++ {
		times = l.repeats(period)
		longest = max(longest, times)
		nudge, end := l.thresholds(period)
		switch {
		case times >= end:
			return loopEnd, period, times
		case times >= nudge && !l.nudged:
			l.nudged = true
			return loopNudge, period, times
		}
	}
	if longest < 2 {
		l.nudged = false // the streak is over
	}
	return loopNone, 0, 0
}

// repeats is how many times the last period marks stand at the end in a row.
func (l *loop) repeats(period int) int {
	n := len(l.seen)
	same := 0
	for i := n - 1; i-period >= 0 && l.seen[i] == l.seen[i-period]; i-- {
		same++
	}
	if n < period {
		return 0
	}
	return 1 + same/period
}

func (l *loop) thresholds(period int) (nudge, end int) {
	switch {
	case period > 1:
		nudge, end = loopPeriodNudge, loopPeriodEnd
	case l.seen[len(l.seen)-1].bash:
		nudge, end = loopBashNudge, loopBashEnd
	default:
		nudge, end = loopFileNudge, loopFileEnd
	}
	return nudge * l.patience, end * l.patience
}
