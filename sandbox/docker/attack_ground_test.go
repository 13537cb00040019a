package docker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox"
)

// ground is what the host has that attacks are after: a secret file, a file
// that anybody may write, a process, listeners on loopback, shared memory, a
// terminal. All of it is the test's own.
type ground struct {
	facts  groundFacts
	secret string // what no box may learn

	program string // of the victim
	victim  *exec.Cmd
	stdin   *os.File // the victim lives as long as it is open
	closing []func()

	hits   [kinds]atomic.Int64
	open   bool         // walls are taken away
	next   *sandbox.Box // a second box, which stands for the host where that would be harmed
	opened int          // inotify: whether anybody opens the secret's file
	master *os.File
	kernel map[string]string // settings of the host that attacks want to change
	limit  unix.Rlimit       // of the victim
	nice   int               // of the victim
}

// groundFacts are told to the attacker, see its ground.
type groundFacts struct {
	Secret, Writable, Dir, Workspace, Base string
	Handle                                 []byte
	HandleAs                               int32
	PID, TCP, TCP6, UDP                    int
	Abstract, Socket                       string
	ShmKey                                 int
	ShmFile                                string
	Disk                                   int
	DiskPath                               string
	TTY, Leak, Resolver, Marker            string
	Number                                 int
}

// Kinds of listeners.
const (
	hitTCP = iota
	hitTCP6
	hitUDP
	hitAbstract
	hitPath
	kinds
)

// newGround prepares the host for one run of the suite. Everything is gone
// after the test.
func newGround(t testing.TB, a attackers, u sandbox.User) *ground {
	t.Helper()
	base := t.TempDir()
	g := &ground{secret: "secret-" + word() + word(), program: filepath.Join(base, "victim"), opened: -1}
	g.facts = groundFacts{
		Base: base, Dir: filepath.Join(base, "host"), Workspace: filepath.Join(base, "workspace"), Marker: "hit-" + word(),
		Abstract: "containerd-shim/" + word() + ".sock", ShmKey: 0x67620000 + os.Getpid()&0xffff, ShmFile: "glovebox-" + word(),
	}
	g.facts.Secret, g.facts.Writable = filepath.Join(g.facts.Dir, "secret"), filepath.Join(g.facts.Dir, "writable")
	t.Cleanup(func() {
		for _, f := range g.closing {
			f()
		}
	})
	g.onEnd(g.endVictim)
	program, err := os.ReadFile(a.native)
	must(t, err)
	must(t, os.Chmod(base, 0o755))
	for _, dir := range []string{g.facts.Dir, g.facts.Workspace, filepath.Join(base, "home"), filepath.Join(g.facts.Workspace, ".glovebox")} {
		mkdir(t, dir)
		own(t, dir, u)
	}
	must(t, os.Chmod(g.facts.Dir, 0o777))
	must(t, os.WriteFile(g.program, program, 0o755))
	must(t, os.WriteFile(g.facts.Secret, []byte(g.secret), 0o666))
	must(t, os.Chmod(g.facts.Secret, 0o666))
	must(t, os.WriteFile(filepath.Join(g.facts.Workspace, ".glovebox", "secret"), []byte(g.secret), 0o644))
	must(t, os.Chmod(filepath.Join(g.facts.Workspace, ".glovebox", "secret"), 0o644))
	must(t, os.WriteFile("/dev/shm/"+g.facts.ShmFile, []byte(g.secret), 0o666))
	g.onEnd(func() { os.Remove("/dev/shm/" + g.facts.ShmFile) })
	g.listen(t)
	g.share(t)
	g.plant(t, program)
	g.kernel = kernelSettings()
	g.mend(t)
	g.watch(t)
	return g
}

func own(t testing.TB, dir string, u sandbox.User) {
	t.Helper()
	must(t, os.Chown(dir, u.UID, u.GID))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *ground) onEnd(f func()) { g.closing = append([]func(){f}, g.closing...) }

// spec is a box of the ground, with workspace and home mounted.
func (g *ground) spec(image string, u sandbox.User) sandbox.Spec {
	return sandbox.Spec{
		Image: image, Workspace: g.facts.Workspace, Home: filepath.Join(g.facts.Base, "home"), Hidden: []string{".glovebox"},
		User: u, Limits: sandbox.DefaultLimits(), Job: "attack-" + word(),
	}
}

// listen opens the listeners. What counts as a hit is the marker, nothing else.
func (g *ground) listen(t testing.TB) {
	t.Helper()
	g.facts.Socket = filepath.Join(g.facts.Dir, "socket")
	for kind, address := range map[int][2]string{
		hitTCP: {"tcp4", "127.0.0.1:0"}, hitTCP6: {"tcp6", "[::1]:0"}, hitAbstract: {"unix", "@" + g.facts.Abstract}, hitPath: {"unix", g.facts.Socket},
	} {
		l, err := net.Listen(address[0], address[1])
		if err != nil && kind == hitTCP6 {
			continue // a machine without IPv6
		}
		must(t, err)
		g.onEnd(func() { l.Close() })
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			*map[int]*int{hitTCP: &g.facts.TCP, hitTCP6: &g.facts.TCP6}[kind] = a.Port
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go g.serve(kind, c)
			}
		}()
	}
	must(t, os.Chmod(g.facts.Socket, 0o777))
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	g.onEnd(func() { u.Close() })
	g.facts.UDP = u.LocalAddr().(*net.UDPAddr).Port
	go func() {
		b := make([]byte, 1024)
		for {
			n, _, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			g.arrive(hitUDP, b[:n])
		}
	}()
}

// serve answers like an engine, should one be asked for.
func (g *ground) serve(kind int, c net.Conn) {
	defer c.Close()
	b := make([]byte, 1024)
	n, _ := c.Read(b)
	g.arrive(kind, b[:n])
	fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\n%s", g.secret)
}

func (g *ground) arrive(kind int, b []byte) {
	if bytes.Contains(b, []byte(g.facts.Marker)) {
		g.hits[kind].Add(1)
	}
}

// share makes a segment of shared memory with the secret in it, a terminal,
// and the handle of the secret's file.
func (g *ground) share(t testing.TB) {
	t.Helper()
	id, err := unix.SysvShmGet(g.facts.ShmKey, 4096, unix.IPC_CREAT|unix.IPC_EXCL|0o666)
	must(t, err)
	g.onEnd(func() { unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	b, err := unix.SysvShmAttach(id, 0, 0)
	must(t, err)
	copy(b, g.secret)
	must(t, unix.SysvShmDetach(b))
	if h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, g.facts.Secret, 0); err == nil {
		g.facts.Handle, g.facts.HandleAs = h.Bytes(), h.Type()
	}
	g.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	g.onEnd(func() { g.master.Close() })
	number, err := unix.IoctlGetInt(int(g.master.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(g.master.Fd()), unix.TIOCSPTLCK, 0))
	g.facts.TTY = fmt.Sprintf("/dev/pts/%d", number)
	if conf, err := os.ReadFile("/etc/resolv.conf"); err == nil {
		for line := range strings.Lines(string(conf)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "nameserver" && !strings.HasPrefix(f[1], "127.") {
				g.facts.Resolver = f[1]
			}
		}
	}
}

// plant puts into the workspace what only root can make: a program with the
// setuid bit and a device, as a careless owner may have them.
func (g *ground) plant(t testing.TB, program []byte) {
	t.Helper()
	suid := filepath.Join(g.facts.Workspace, "attacker-suid")
	must(t, os.WriteFile(suid, program, 0o755))
	must(t, os.Chmod(suid, 0o755|os.ModeSetuid))
	g.facts.DiskPath, g.facts.Disk = diskOf(t)
	if os.Getuid() == 0 && g.facts.Disk != 0 {
		node := filepath.Join(g.facts.Workspace, "planted-disk")
		must(t, unix.Mknod(node, unix.S_IFBLK|0o644, g.facts.Disk))
		must(t, os.Chmod(node, 0o644))
	}
}

// diskOf is a disk of this machine that its root may open, and its number; ""
// if there is none.
func diskOf(t testing.TB) (string, int) {
	table, err := os.ReadFile("/proc/partitions")
	must(t, err)
	paths := []string{"/dev/loop0"}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) == 4 && f[0] != "major" {
			paths = append(paths, "/dev/"+f[3])
		}
	}
	for _, path := range slices.Backward(paths) {
		var s unix.Stat_t
		f, err := os.Open(path)
		if err == nil {
			err = errors.Join(unix.Fstat(int(f.Fd()), &s), f.Close())
		}
		if err == nil && s.Mode&unix.S_IFMT == unix.S_IFBLK {
			return path, int(s.Rdev)
		}
	}
	return "", 0
}

// kernelSettings are what the attacks on the kernel would change.
func kernelSettings() map[string]string {
	now := map[string]string{}
	for _, f := range []string{"core_pattern", "modprobe", "hostname", "sysrq", "domainname"} {
		b, err := os.ReadFile("/proc/sys/kernel/" + f)
		if err == nil {
			now[f] = string(b)
		}
	}
	return now
}

// watch notes whether anybody opens the secret's file from now on.
func (g *ground) watch(t testing.TB) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	g.onEnd(func() { unix.Close(fd) })
	_, err = unix.InotifyAddWatch(fd, g.facts.Secret, unix.IN_OPEN|unix.IN_ACCESS|unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF)
	must(t, err)
	g.opened = fd
}

// mend restores everything that an attack has changed which was let through.
func (g *ground) mend(t testing.TB) {
	t.Helper()
	os.RemoveAll(filepath.Join(g.facts.Dir, "created"))
	must(t, os.WriteFile(g.facts.Writable, []byte("harmless"), 0o666))
	must(t, os.Chmod(g.facts.Writable, 0o666))
	for i := range g.hits {
		g.hits[i].Store(0)
	}
	g.endVictim()
	g.startVictim(t)
	g.quiet()
}

// quiet forgets who opened the secret's file until now.
func (g *ground) quiet() bool {
	n, err := unix.Read(g.opened, make([]byte, 64<<10))
	return n <= 0 && errors.Is(err, unix.EAGAIN)
}

func (g *ground) startVictim(t testing.TB) {
	t.Helper()
	secret, err := os.Open(g.facts.Secret)
	must(t, err)
	defer secret.Close()
	in, stdin, err := os.Pipe()
	must(t, err)
	defer in.Close()
	g.stdin = stdin
	g.victim = exec.Command(g.program, "victim", g.secret)
	g.victim.Env, g.victim.Stdin, g.victim.ExtraFiles = []string{"SECRET=" + g.secret}, in, []*os.File{secret}
	out, err := g.victim.StdoutPipe()
	must(t, err)
	must(t, g.victim.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the victim says %q, %v", line, err)
	}
	g.facts.PID = g.victim.Process.Pid
	g.limit, g.nice = g.stateOfVictim()
}

func (g *ground) endVictim() {
	if g.victim != nil {
		g.stdin.Close()
		g.victim.Process.Kill()
		g.victim.Wait()
		g.victim = nil
	}
}

func (g *ground) stateOfVictim() (limit unix.Rlimit, nice int) {
	unix.Prlimit(g.facts.PID, unix.RLIMIT_NOFILE, nil, &limit)
	nice, _ = unix.Getpriority(unix.PRIO_PROCESS, g.facts.PID)
	return limit, nice
}

func (g *ground) victimLives() bool {
	return g.victim.Process.Signal(syscall.Signal(0)) == nil && !zombie(g.facts.PID)
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := cutLast(string(stat), ") ")
	return err != nil || strings.HasPrefix(after, "Z")
}

// variable tells the attacker about the ground; number is how much it tries to take.
func (g *ground) variable(number int) string {
	f := g.facts
	f.Number = number
	b, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return "ATTACK_GROUND=" + string(b)
}

// sweep empties workspace and home of what a box has left there. It follows no
// link: those lead to the ground itself.
func (g *ground) sweep(t testing.TB) {
	t.Helper()
	for _, dir := range []string{g.facts.Workspace, filepath.Join(g.facts.Base, "home")} {
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			switch e.Name() {
			case ".glovebox", "attacker-suid", "planted-disk":
				continue
			}
			must(t, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
}
