package docker

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Outcomes of an attack whose walls are taken away.
const (
	outcomeWins    = "wins"
	outcomeFails   = "FAILS"
	outcomeAbsent  = "not on this machine"
	outcomeKept    = "kept"
	outcomeSampled = "not in this sample"
)

// verdicts gathers how the attacks went.
type verdicts struct {
	order []string
	rows  map[string]*verdictRow
}

type verdictRow struct {
	attack       attack
	with         []string // with every wall, by mode
	won          bool     // in spite of them
	outcome, how string   // without its walls
}

func (v *verdicts) row(a attack) *verdictRow {
	key := a.group + "/" + a.name
	if v.rows == nil {
		v.rows = map[string]*verdictRow{}
	}
	if v.rows[key] == nil {
		v.rows[key] = &verdictRow{attack: a, outcome: outcomeSampled}
		if a.kept != "" {
			v.rows[key].outcome, v.rows[key].how = outcomeKept, a.kept
		}
		v.order = append(v.order, key)
	}
	return v.rows[key]
}

// held notes an attack on every wall.
func (v *verdicts) held(a attack, mode string, got attempt, won bool) {
	r := v.row(a)
	r.with = append(r.with, mode+": "+got.String())
	r.won = r.won || won
}

// fell notes an attack without the walls that stop it.
func (v *verdicts) fell(a attack, outcome, how string) {
	r := v.row(a)
	r.outcome, r.how = outcome, how
}

// String is the table and its counts.
func (v *verdicts) String() string {
	var b strings.Builder
	b.WriteString("| group | attack | stopped by | with every wall | without |\n|---|---|---|---|---|\n")
	for _, key := range v.order {
		r := v.rows[key]
		with, without := strings.Join(r.with, "; "), r.outcome
		if r.won {
			with = "WINS " + with
		}
		if r.how != "" {
			without += ": " + r.how
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.attack.group, r.attack.name, names(r.attack.walls), cell(with), cell(without))
	}
	won, outcomes := v.count()
	fmt.Fprintf(&b, "\n%d attacks, %d of them win against every wall.\n", len(v.order), won)
	fmt.Fprintf(&b, "With their walls taken away %d win and %d fail; %d can't be shown on this machine, %d keep their walls, %d are not in this sample.\n",
		outcomes[outcomeWins], outcomes[outcomeFails], outcomes[outcomeAbsent], outcomes[outcomeKept], outcomes[outcomeSampled])
	return b.String()
}

func (v *verdicts) count() (won int, outcomes map[string]int) {
	outcomes = map[string]int{}
	for _, r := range v.rows {
		outcomes[r.outcome]++
		if r.won {
			won++
		}
	}
	return won, outcomes
}

func cell(s string) string { return strings.NewReplacer("|", "/", "\n", " ").Replace(s) }

// print shows the table, and writes it to the file that GLOVEBOX_REDTEAM_TABLE
// names. There must be enough in it.
func (r *team) print(t *testing.T) {
	t.Helper()
	t.Logf("\n%s", &r.table)
	if file := os.Getenv("GLOVEBOX_REDTEAM_TABLE"); file != "" {
		must(t, os.WriteFile(file, []byte(r.table.String()), 0o644))
	}
	all := len(r.table.order)
	if all < smallest {
		t.Errorf("%d attacks, there must be at least %d", all, smallest)
	}
	if _, outcomes := r.table.count(); outcomes[outcomeAbsent] > all/4 {
		t.Errorf("%d of %d attacks can't be shown on this machine: that proves too little", outcomes[outcomeAbsent], all)
	}
}
