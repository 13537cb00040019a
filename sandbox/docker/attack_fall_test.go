package docker

import (
	"fmt"
	"os"
	"testing"
)

// fall: without the walls that are said to stop it, each attack wins.
func (r *team) fall(t *testing.T) {
	m := modes()[0]
	g := newGround(t, r.attackers, m.user)
	g.open = true
	for _, set := range sets(sampled(attacks(g))) {
		t.Run(names(set[0].walls), func(t *testing.T) { r.fallSet(t, g, m, set) })
	}
}

// sampled is one attack of each group, or all of them in the full proof.
func sampled(all []attack) (some []attack) {
	seen := map[string]bool{}
	for _, a := range all {
		if a.kept != "" || !fullProof() && seen[a.group] {
			continue
		}
		seen[a.group] = true
		some = append(some, a)
	}
	return some
}

// sets are the attacks that can share a box, because the same walls stop them.
func sets(all []attack) (sets [][]attack) {
	at := map[string]int{}
	for _, a := range all {
		key := names(a.walls)
		if a.alone || a.small || a.watched || a.prepare != nil {
			key += "/" + a.group + "/" + a.name
		}
		for _, w := range a.walls {
			key += fmt.Sprint(w.code, w.what)
		}
		i, ok := at[key]
		if !ok {
			i = len(sets)
			at[key] = i
			sets = append(sets, nil)
		}
		sets[i] = append(sets[i], a)
	}
	return sets
}

func (r *team) fallSet(t *testing.T, g *ground, m mode, set []attack) {
	walls := set[0].walls
	if set[0].prepare != nil {
		set[0].prepare(t, r, g)
	}
	where := &lodging{team: r, g: g, e: engineWithout(t, r.e, walls), m: m, small: set[0].small, watched: set[0].watched, walls: walls}
	defer where.leave(t)
	told := g.facts
	defer func() { g.facts.Leak = told.Leak }()
	for _, w := range walls {
		if w.leak != "" {
			g.facts.Leak = w.leak
		}
	}
	for _, a := range set {
		if a.program == small32 && r.attackers.small == "" {
			r.table.fell(a, outcomeAbsent, "programs of 32 bits")
			continue
		}
		b, err := where.tryBox(t)
		if err != nil { // an engine without the right to a capability or a limit
			r.table.fell(a, outcomeAbsent, "the engine can't start such a box")
			t.Log(err)
			continue
		}
		got := a.try(t, b, g)
		r.judgeFall(t, g, a, got)
		g.mend(t)
		if got.lost != nil {
			where.leave(t)
		}
	}
}

func (r *team) judgeFall(t *testing.T, g *ground, a attack, got attempt) {
	t.Helper()
	switch won := a.wins(g, got); {
	case won:
		r.table.fell(a, outcomeWins, got.String())
	case got.absent():
		r.table.fell(a, outcomeAbsent, got.Err)
	default:
		r.table.fell(a, outcomeFails, got.String())
		t.Errorf("%s/%s fails without %s, too: %s, lost %v, %s", a.group, a.name, names(a.walls), got, got.lost, got.Output())
	}
}

// Each wall of a set is needed: with any one of them back, the attack fails.
// Else a set would hide that something in it is no wall at all.
func TestRedTeamSetsAreSmallest(t *testing.T) {
	if !fullProof() || os.Getuid() != 0 {
		t.Skip("part of the full proof (GLOVEBOX_PROOF=full), as root")
	}
	r := newTeam(t, testEngine(t))
	m := modes()[0]
	g := newGround(t, r.attackers, m.user)
	g.open = true
	for _, set := range sets(sampled(attacks(g))) {
		walls := set[0].walls
		if len(walls) < 2 {
			continue
		}
		for i := range walls {
			t.Run(names(walls)+"/but "+walls[i].name, func(t *testing.T) {
				rest := append(append([]wall{}, walls[:i]...), walls[i+1:]...)
				where := &lodging{team: r, g: g, e: engineWithout(t, r.e, rest), m: m, small: set[0].small, watched: set[0].watched, walls: rest}
				defer where.leave(t)
				r.stillFails(t, g, set, rest, where)
			})
		}
	}
}

// stillFails: with the walls that are left, no attack of the set wins.
func (r *team) stillFails(t *testing.T, g *ground, set []attack, rest []wall, where *lodging) {
	t.Helper()
	for _, a := range set {
		if a.program == small32 && r.attackers.small == "" {
			continue
		}
		b, err := where.tryBox(t)
		if err != nil { // an engine without the right to a capability or a limit
			t.Skip(err)
		}
		a.walls = rest
		got := a.try(t, b, g)
		if a.wins(g, got) {
			t.Errorf("%s/%s wins all the same: %s", a.group, a.name, got)
		}
		if got.lost != nil {
			where.leave(t)
		}
		g.mend(t)
	}
}
