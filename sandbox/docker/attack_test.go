package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
)

// attack is one row of the red team's table. What it does is in
// testdata/attacker; whether it has won is decided here, by effect.
type attack struct {
	group, name string
	run         string // name of the attack in testdata/attacker
	program     string // "" is /bin/attacker
	number      int    // how much of something is tried to take

	wins  func(*ground, attempt) bool
	walls []wall // the smallest set that stops it: without them it wins
	// kept says why the walls can't be taken away here, if they can't.
	kept string

	alone   bool // where it wins, it changes the box for those that come after
	small   bool // in a box that soon meets its limits
	watched bool // in a box whose disk has a small quota
	ends    bool // the box may end by it
	refused bool // the agent may refuse to start it
	// call changes the command that runs the attack.
	call func(*sandbox.Command)
	// drive is what the host does with what the attack has left in the box; it
	// says what came of it, "" for nothing.
	drive func(*testing.T, *sandbox.Box, *ground) string
	// afterwards is what must hold on the host when the box is closed.
	afterwards func(*ground) error
	// prepare is done on the host before, where the walls are taken away.
	prepare func(*testing.T, *team, *ground)
}

// ownPart says that all which the attack can get is a part of its own box,
// where that has a kernel of the runtime's own: the kernel, its devices and a
// network without any, and of the agent what docs/isolation.md tells. Whoever
// stops the agent there loses the box by it.
func (a attack) ownPart() bool {
	switch a.group {
	case "kernel files", "kernel calls", "namespaces", "mounts", "devices":
		return true
	}
	return slices.Contains([]string{"route-link-local6", "agent-environ", "agent-maps", "agent-stream",
		"agent-signals", "agent-limit", "agent-renice", "agent-affinity",
		"threads", "queues", "processor"}, a.run) // the last three are counted in its kernel; the host's limits are probed
}

// verdict is what the attacker says, see its type of this name.
type verdict struct {
	Got   string
	Err   string
	Count int
}

// attempt is how an attack went.
type attempt struct {
	verdict
	result sandbox.Result
	silent bool   // the attacker has said nothing: it has not even tried
	lost   error  // the box did not answer afterwards
	driven string // what drive said
}

// String is the attempt in the table.
func (a attempt) String() string {
	switch {
	case a.driven != "":
		return a.driven
	case a.result.Full != nil:
		return fmt.Sprintf("stopped by the limit of %s after %d", a.result.Full.Limit, a.Count)
	case a.result.TimedOut:
		return "stopped by its time"
	case a.lost != nil:
		return "the box is gone"
	case a.Err != "":
		if a.Count > 0 {
			return fmt.Sprintf("%s after %d", a.Err, a.Count)
		}
		return a.Err
	case a.result.Signal != "":
		return fmt.Sprintf("%s after %d", a.result.Signal, a.Count)
	case a.Got == "" && a.Count > 0:
		return fmt.Sprint(a.Count)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, a.Got[:min(len(a.Got), 40)])
}

// absent says that the kernel has not what was attacked, so nothing is proven
// by an attack that fails without a wall.
func (a attempt) absent() bool {
	switch a.Err {
	case "ENOSYS", "ENODEV", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP", "ENOENT", "ENETUNREACH", "EADDRNOTAVAIL":
		return true
	}
	return false
}

// filtered says that the filter ended the attacker before its first word: a
// program of 32 bits gets no system call through.
func (a attempt) filtered(what attack) bool {
	return what.program == small32 && a.result.Signal == "SIGSYS"
}

// Ways to win.

// permitted: the kernel did it.
func permitted(_ *ground, a attempt) bool { return a.Err == "" && a.Got != "" }

// learned: the attacker knows the secret.
func learned(g *ground, a attempt) bool { return strings.Contains(a.Got, g.secret) }

// changed: the host's file is not as it was.
func changed(g *ground, _ attempt) bool { return contentOf(g.facts.Writable) != "harmless" }

// reached: the marker arrived at a listener of the host.
func reached(kind int) func(*ground, attempt) bool {
	return func(g *ground, a attempt) bool {
		// What was sent arrives in its own time; what was not never does.
		for end := time.Now().Add(patience); permitted(g, a) && g.hits[kind].Load() == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return g.hits[kind].Load() > 0
	}
}

// took: as much as was tried.
func took(n int) func(*ground, attempt) bool {
	return func(_ *ground, a attempt) bool { return a.Count >= n }
}

// boxLost: the box did not survive.
func boxLost(_ *ground, a attempt) bool { return a.lost != nil }

// driven: the host was led astray.
func driven(_ *ground, a attempt) bool { return strings.HasPrefix(a.driven, "!") }

// idle is the exit code of the attacker when it is told to do nothing.
const idle = 64

// patience is how long an effect is waited for on a machine under load.
const patience = 20 * time.Second

// try runs an attack in a box.
func (a attack) try(t *testing.T, b *sandbox.Box, g *ground) attempt {
	t.Helper()
	program := a.program
	if program == "" {
		program = "/bin/attacker"
	}
	c := sandbox.Command{Args: []string{program, a.run}, Env: []string{"PATH=/bin", g.variable(a.number)}, Timeout: 2 * time.Minute, Head: 64 << 10, Tail: 16 << 10}
	if a.call != nil {
		a.call(&c)
	}
	for _, w := range a.walls {
		if w.call != nil && g.open {
			w.call(&c)
		}
	}
	var r attempt
	var err error
	r.result, err = b.Run(context.Background(), c)
	if err != nil {
		return attempt{lost: err}
	}
	r.read()
	if a.drive != nil {
		r.driven = a.drive(t, b, g)
	}
	if r.result.TimedOut {
		return r
	}
	after, err := b.Run(context.Background(), sandbox.Command{Args: []string{"/bin/attacker"}, Timeout: time.Minute, Head: 1 << 10})
	if err == nil && after.ExitCode != idle {
		err = fmt.Errorf("the next command ends with %d, %s", after.ExitCode, after.Output())
	}
	r.lost = err
	return r
}

// read takes the last line that is a verdict: one that was killed has only counted.
func (a *attempt) read() {
	lines := strings.Split(string(a.result.Head)+string(a.result.Tail), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "{") && json.Unmarshal([]byte(lines[i]), &a.verdict) == nil {
			break
		}
	}
	if a.verdict == (verdict{}) {
		a.silent = true
		a.Err = cmp.Or(a.result.Signal, fmt.Sprintf("exit code %d", a.result.ExitCode))
	}
}

// mode is a way to run the suite.
type mode struct {
	name    string
	user    sandbox.User
	volumes bool // workspace and home are volumes of the engine
}

// modes: as an ordinary owner of the project directory, as the user it is lent
// to when root owns it, and with volumes. Without root there is only oneself.
func modes() []mode {
	owner, lent := sandbox.User{UID: 1000, GID: 1000}, sandbox.User{UID: 10001, GID: 10001}
	if os.Getuid() != 0 {
		owner = sandbox.User{UID: os.Getuid(), GID: os.Getgid()}
		lent = owner
	}
	all := []mode{{name: "owner", user: owner}, {name: "lent", user: lent}, {name: "volumes", user: owner, volumes: true}}
	if lent == owner {
		all = append(all[:1], all[2])
	}
	return all
}

func fullProof() bool { return os.Getenv("GLOVEBOX_PROOF") == "full" }

// smallest is how many attacks there have to be.
const smallest = 60

// Every attack of the table fails, in a box with all its walls, and the host
// is as it was. Then for each the walls that stop it are taken away, and it
// wins: an attack that can't win proves nothing. make test samples the second
// part; GLOVEBOX_PROOF=full does it for every attack.
func TestRedTeam(t *testing.T) {
	team := newTeam(t, testEngine(t))
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) { team.hold(t, m) })
	}
	t.Run("without walls", team.fall)
	t.Run("rogue agent", team.rogues)
	team.print(t)
}

// The same attacks on boxes that have gVisor's kernel. What they get of that
// kernel is theirs; the host must be unharmed.
func TestRedTeamOnRunsc(t *testing.T) {
	team := newTeam(t, runscEngine(t))
	team.ownKernel = true
	team.attackers.small = "" // that kernel starts no program of 32 bits
	t.Run("owner", func(t *testing.T) { team.hold(t, modes()[0]) })
	t.Logf("\n%s", &team.table)
}

// team is the suite on one engine.
type team struct {
	e         *Engine
	attackers attackers
	image     string
	table     verdicts
	// ownKernel: boxes have a kernel of the runtime's own. What is done to that
	// is no win: the host must be unharmed, and that is seen.
	ownKernel bool
}

// small32 is the attacker of 32 bits in a box.
const small32 = "/bin/attacker32"

func newTeam(t *testing.T, e *Engine) *team {
	a := buildAttackers(t)
	// Not every machine runs such programs, even if its processor could.
	if a.small != "" && exitCode(exec.Command(a.small).Run()) != idle {
		a.small = ""
	}
	return &team{e: e, attackers: a, image: attackImage(t, e, a)}
}

// hold: with every wall, no attack wins. Since none does, they share a box.
func (r *team) hold(t *testing.T, m mode) {
	g := newGround(t, r.attackers, m.user)
	usual := &lodging{team: r, g: g, e: r.e, m: m}
	small := &lodging{team: r, g: g, e: r.e, m: m, small: true}
	watched := &lodging{team: r, g: g, e: r.e, m: m, watched: true}
	for _, l := range []*lodging{usual, small, watched} {
		defer l.leave(t)
	}
	for i, a := range attacks(g) {
		if r.ownKernel && (a.run == "forks" || a.run == "threads") { // its limit has to be larger, see lodging
			a.number = 2 * int(roomFor(r.e.runtime).pids)
			a.wins = took(a.number)
		}
		t.Run(a.group+"/"+a.name, func(t *testing.T) {
			if a.program == small32 && r.attackers.small == "" {
				r.table.held(a, m.name, attempt{driven: "no program of 32 bits runs here"}, false)
				t.Skip("no program of 32 bits runs here")
			}
			where := usual
			switch {
			case a.small:
				where = small
			case a.watched:
				where = watched
			}
			if where != usual && m != modes()[0] && !fullProof() {
				t.Skip("limits are the same in every mode; all of them are tried in the full proof")
			}
			if r.ownKernel && !fullProof() && (a.ownPart() || (a.group == "exhaustion" || a.group == "workspace") && i%3 > 0) {
				t.Skip("a box of this runtime takes seconds to start; all of them are tried in the full proof")
			}
			r.holdOne(t, m, g, a, where)
		})
	}
}

func (r *team) holdOne(t *testing.T, m mode, g *ground, a attack, where *lodging) {
	got := a.try(t, where.box(t), g)
	if a.wins(g, got) && !(r.ownKernel && a.ownPart()) {
		t.Errorf("the attack wins: %s (%s)", got, got.Output())
	}
	if got.silent && !a.refused && !got.filtered(a) && !got.result.TimedOut && got.lost == nil {
		t.Errorf("the attack was not even tried: %s", got.Output())
	}
	if got.lost != nil && !a.ends && !r.ownKernel { // which is one process to the host: a limit ends it whole
		t.Errorf("the box does not survive it: %v", got.lost)
	}
	if got.lost != nil || a.alone && t.Failed() || a.afterwards != nil {
		where.leave(t)
	}
	if a.afterwards != nil {
		if err := a.afterwards(g); err != nil {
			t.Error(err)
		}
	}
	if harm := g.harmed(t, r.e); harm != nil {
		t.Errorf("the host is harmed: %s", strings.Join(harm, "; "))
		g.mend(t)
	}
	r.table.held(a, m.name, got, t.Failed())
}

// Output is what the attacker wrote, for messages.
func (a attempt) Output() string { return fmt.Sprintf("%.300q", a.result.Output()) }

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}
