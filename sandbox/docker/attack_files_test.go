package docker

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/glovebox-run/glovebox/sandbox"
)

// attacks is the table. It depends on the ground only where a wall is taken
// away with a path of it.
func attacks(g *ground) (all []attack) {
	for _, group := range [][]attack{
		hostFiles(g), hostProcesses(g), kernelInterfaces(), kernelCalls(), namespaceAttacks(), mountAttacks(g), deviceAttacks(g), engineAttacks(g), networkAttacks(g), agentAttacks(), exhaustionAttacks(), workspaceAttacks(g),
	} {
		all = append(all, group...)
	}
	return all
}

// asRoot are the walls that a right of root's needs: the user and its
// capabilities, and where the call is filtered the filter.
func asRoot(caps string, more ...wall) []wall {
	return append([]wall{anyUser(), capabilities(caps)}, more...)
}

func hostFiles(g *ground) []attack {
	const group = "host files"
	dir := bound(g.facts.Dir, g.facts.Dir)
	return []attack{
		{group: group, name: "read by its path", run: "read", wins: learned, walls: []wall{dir}},
		{group: group, name: "write by its path", run: "write", wins: changed, walls: []wall{dir}},
		{group: group, name: "create beside it", run: "create", walls: []wall{dir}, wins: func(g *ground, _ attempt) bool {
			_, err := os.Lstat(filepath.Join(g.facts.Dir, "created"))
			return err == nil
		}},
		{group: group, name: "climb out of the workspace", run: "climb", wins: learned, walls: []wall{dir}},
		{group: group, name: "read through a link", run: "link", wins: learned, walls: []wall{dir}},
		{group: group, name: "write through a link", run: "write-link", wins: changed, walls: []wall{dir}},
		{group: group, name: "hard link into the workspace", run: "hard-link", wins: learned, walls: []wall{bound(g.facts.Base, g.facts.Base)}},
		{group: group, name: "/proc/PID/root, cwd", run: "root-link", wins: learned, walls: append([]wall{hostPIDs()}, asRoot("SYS_PTRACE")...)},
		{group: group, name: "descriptor left open (CVE-2024-21626)", run: "leaked", wins: learned, walls: []wall{leftOpen(g)}},
		{group: group, name: "start in /proc/self/fd/N (CVE-2024-21626)", run: "leaked", wins: learned, call: startInDescriptor, refused: true, kept: "the agent would have to hold a directory of the host"},
		{group: group, name: "open_by_handle_at (shocker)", run: "handle", wins: learned, walls: asRoot("DAC_READ_SEARCH", noSeccomp())},
		{group: group, name: "state below its cover", run: "hidden", wins: learned, walls: []wall{noCover()}},
		{group: group, name: "exchange the cover (CVE-2021-30465)", run: "swap-hidden", wins: learned, walls: []wall{noCover()}},
		{group: group, name: "file of the image for root alone", run: "become-root", walls: []wall{anyUser()}, wins: func(_ *ground, a attempt) bool {
			return strings.Contains(a.Got, "for root alone")
		}},
		{group: group, name: "write to the image", run: "rootfs", wins: permitted, walls: []wall{anyUser(), writableRoot()}},
	}
}

// leftOpen stands for a runtime that has forgotten to close a directory.
func leftOpen(g *ground) wall {
	w := bound(g.facts.Dir, "/leak")
	w.name, w.leak = "no descriptor left open", "/leak"
	return w
}

// startInDescriptor starts the attack where the agent's descriptors lead.
func startInDescriptor(c *sandbox.Command) { c.Dir = "/proc/self/fd/7" }

func hostProcesses(g *ground) []attack {
	const group = "host processes"
	rooted := append([]wall{hostPIDs()}, asRoot("SYS_PTRACE")...)
	same := []wall{hostPIDs(), anyUser()}
	nicer := append([]wall{hostPIDs(), noSeccomp()}, asRoot("SYS_NICE")...)
	if os.Getuid() != 0 { // the process belongs to the box's user
		same, nicer = same[:1], nicer[:2]
	}
	filtered := append([]wall{noSeccomp()}, same...)
	return []attack{
		{group: group, name: "see it", run: "see", walls: []wall{hostPIDs()}, wins: learned},
		{group: group, name: "read its environment", run: "environ", walls: rooted, wins: learned},
		{group: group, name: "read its memory", run: "read-mem", walls: rooted, wins: learned},
		{group: group, name: "trace it", run: "ptrace", walls: rooted, wins: permitted},
		{group: group, name: "take a descriptor from it", run: "steal-fd", walls: append([]wall{hostPIDs()}, asRoot("SYS_PTRACE", noSeccomp())...), wins: learned},
		{group: group, name: "kill it", run: "kill", walls: same, wins: func(g *ground, a attempt) bool { return !g.victimLives() }},
		{group: group, name: "kill all there are", run: "kill-all", alone: true, ends: true, walls: []wall{pidsOf(g)}, prepare: openNeighbour, wins: neighbourDead},
		{group: group, name: "limit its files", run: "limit", walls: filtered, wins: func(g *ground, _ attempt) bool {
			limit, _ := g.stateOfVictim()
			return g.victimLives() && limit != g.limit
		}},
		{group: group, name: "lower its priority", run: "renice", walls: nicer, wins: func(g *ground, _ attempt) bool {
			_, nice := g.stateOfVictim()
			return g.victimLives() && nice != g.nice
		}},
		{group: group, name: "write to its program (CVE-2019-5736)", run: "exe-write", wins: permitted, walls: rooted},
		{group: group, name: "enter its mounts (nsenter)", run: "nsenter", wins: learned, walls: append([]wall{hostPIDs()}, asRoot("SYS_ADMIN SYS_PTRACE SYS_CHROOT", noSeccomp())...)},
		{group: group, name: "enter its network", run: "net-enter", wins: reached(hitTCP), walls: append([]wall{hostPIDs()}, asRoot("SYS_ADMIN SYS_PTRACE", noSeccomp())...)},
		{group: group, name: "shared memory (System V)", run: "shm-sysv", wins: learned, walls: []wall{hostIPC()}},
		{group: group, name: "shared memory (/dev/shm)", run: "shm-file", wins: learned, walls: []wall{hostIPC()}},
	}
}
