package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/glovebox-run/glovebox/sandbox"
)

// The kernel says what is mounted. Apart from the image, what the kernel and
// Docker make up (proc, sys, dev and three small files) and ours there must be nothing.
func TestI1OnlyExpectedMounts(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	mkdir(t, filepath.Join(s.Workspace, ".glovebox"))
	s.Hidden = []string{".glovebox"}
	b := openBox(t, e, s)

	made := regexp.MustCompile(`^/(proc|sys|dev)(/|$)`)
	expected := map[string]string{ // place: options it must begin with
		"/": "ro", "/etc/hosts": "ro", "/etc/hostname": "ro", "/etc/resolv.conf": "ro", "/tmp": "rw,nosuid,nodev",
		agentDir: "ro", sandbox.Workspace: "rw", sandbox.Home: "rw", sandbox.Workspace + "/.glovebox": "ro,nosuid,nodev,noexec",
	}
	for line := range strings.Lines(output(t, b, "cat /proc/self/mountinfo")) {
		f := strings.Fields(line)
		place, options, kind := f[4], f[5], f[slices.Index(f, "-")+1]
		if made.MatchString(place) {
			if !slices.Contains([]string{"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"}, kind) {
				t.Errorf("a %s is mounted at %s", kind, place)
			}
			continue
		}
		want, ok := expected[place]
		if !ok {
			t.Errorf("unexpected mount: %s", line)
		} else if options != want && !strings.HasPrefix(options, want+",") {
			t.Errorf("%s is mounted with %s, want %s", place, options, want)
		}
		delete(expected, place)
	}
	if len(expected) > 0 {
		t.Errorf("not mounted: %v", expected)
	}
}

// Docker copies the host's name servers, search domains and host names into
// containers unless told otherwise.
func TestI1NothingOfTheHostInEtc(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, testSpec(t, e))

	resolv := output(t, b, "cat /etc/resolv.conf")
	for line := range strings.Lines(resolv) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line != "nameserver 127.0.0.1" && line != "search ." {
			t.Errorf("resolv.conf holds %q", line)
		}
	}
	for line := range strings.Lines(output(t, b, "cat /etc/hosts")) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(line, "127.") && !strings.Contains(f[0], ":") {
			t.Errorf("hosts holds %q", line)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, b, "cat /etc/hostname; uname -n"); got != "box\nbox\n" {
		t.Errorf("the box's name is %q", got)
	}
	if all := output(t, b, "cat /etc/hosts /etc/resolv.conf"); slices.Contains(strings.Fields(all), host) {
		t.Errorf("the host's name %s is in the box", host)
	}
}

// What is mounted below the workspace on the host is not part of it, and
// .glovebox is empty, read-only and the box's own, so that git does not mind it.
func TestI1HiddenIsEmptyAndReadOnly(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	secret := filepath.Join(s.Workspace, ".glovebox")
	mkdir(t, secret)
	if err := os.WriteFile(filepath.Join(secret, "ledger.jsonl"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Hidden = []string{".glovebox"}
	b := openBox(t, e, s)
	got := output(t, b, `cd .glovebox; ls -A | wc -l; stat -c %u . ; touch x 2>/dev/null && echo written; mv ../.glovebox ../y 2>/dev/null && echo moved; rm -rf ../.glovebox 2>/dev/null && echo removed; true`)
	if want := fmt.Sprintf("0\n%d\n", s.User.UID); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if entries, err := os.ReadDir(secret); err != nil || len(entries) != 1 {
		t.Errorf("the state on the host holds %v, %v", entries, err)
	}
}

// No route, no address and no interface but loopback; a name fails at once.
func TestI2NoNetwork(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, testSpec(t, e))
	if got := output(t, b, "ls /sys/class/net"); got != "lo\n" {
		t.Errorf("interfaces: %q", got)
	}
	if got := output(t, b, "sed 1d /proc/net/route"); got != "" {
		t.Errorf("routes: %q", got)
	}
	// Of IPv6 only what belongs to loopback, if there is any.
	got := output(t, b, "cat /proc/net/if_inet6 /proc/net/ipv6_route 2>/dev/null; true")
	for line := range strings.Lines(got) {
		if f := strings.Fields(line); f[len(f)-1] != "lo" {
			t.Errorf("IPv6: %q", line)
		}
	}
	got = output(t, b, `for a in 10.0.0.1 172.17.0.1 169.254.169.254 192.0.2.1; do (exec 3<>/dev/tcp/$a/80) 2>/dev/null && echo $a; done; true`)
	if got != "" {
		t.Errorf("reached %q", got)
	}
	r, err := b.Run(t.Context(), sandbox.Command{Args: []string{"/bin/bash", "-c", "exec 3<>/dev/tcp/169.254.169.254/80"}, Head: 4096})
	if err != nil || r.ExitCode == 0 || !strings.Contains(r.Output(), "unreachable") {
		t.Errorf("the metadata address: %q, %v", r.Output(), err)
	}
}

// A secret that the host's process has must not come into a box by any way:
// the tests' own environment stands for a key.
func TestI3NoSecretInBox(t *testing.T) {
	e := testEngine(t)
	canary := "canary-" + word()
	t.Setenv("OPENROUTER_API_KEY", canary)
	s := testSpec(t, e)
	b := openBox(t, e, s)
	// The search must not find itself in its own argument.
	search := `
		c=canary; c=$c-
		for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /etc/* /tmp/* /home/glovebox/* /workspace/* /run/* /glovebox/*; do
			grep -l "$c" "$f" 2>/dev/null
		done; env | grep "$c"; true`
	if got := output(t, b, search); got != "" {
		t.Errorf("found in %s", got)
	}
	output(t, b, "echo "+canary+" >/workspace/planted")
	if got := output(t, b, search); got != "/workspace/planted\n" {
		t.Errorf("the search itself fails: %q", got)
	}
	if got := output(t, b, "env; cat /proc/self/environ"); strings.Contains(got, canary) || strings.Contains(got, "OPENROUTER") {
		t.Errorf("the environment: %s", got)
	}
}

// Nothing of the image but its files gets in: it is not trusted either.
func TestI3ImageSettingsAreOverridden(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	s.Image = derivedImage(t, e, `
		ENV GODEBUG=http2debug=2 LD_PRELOAD=/evil.so SECRET=hunter2
		USER 0
		VOLUME /data
		HEALTHCHECK --interval=1s CMD touch /tmp/health
		ENTRYPOINT ["/bin/false"]
		CMD ["evil"]
		WORKDIR /data`)
	b := openBox(t, e, s)
	if got := output(t, b, "env | grep -v -e ^PWD -e ^PATH -e ^_ ; id -u; pwd; touch /data/x 2>/dev/null && echo written; true"); got != fmt.Sprintf("%d\n%s\n", s.User.UID, sandbox.Workspace) {
		t.Errorf("got %q", got)
	}
	if got := output(t, b, "tr '\\0' '\\n' </proc/1/cmdline"); got != agentFile+"\n" {
		t.Errorf("process 1 is %q", got)
	}
}

// Every wall as the kernel shows it to a process in the box.
func TestI4ProcessWalls(t *testing.T) {
	e := testEngine(t)
	s := testSpec(t, e)
	b := openBox(t, e, s)
	status := output(t, b, "cat /proc/self/status")
	for _, want := range []string{
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000",
		"NoNewPrivs:\t1", "Seccomp:\t2",
		fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d", s.User.UID), fmt.Sprintf("Gid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d", s.User.GID),
	} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("%q is not in\n%s", want, status)
		}
	}
	for _, dir := range []string{"/", "/bin", "/etc", "/glovebox", "/sys", "/proc/sys", "/dev"} {
		if r, err := b.Run(t.Context(), shell("touch "+dir+"/x")); err != nil || r.ExitCode == 0 {
			t.Errorf("%s can be written to (%v)", dir, err)
		}
	}
	if got := output(t, b, "cp /bin/true /tmp/t && /tmp/t && echo ran"); got != "ran\n" {
		t.Errorf("a program in /tmp: %q", got)
	}
	for _, ns := range []string{"pid", "ipc", "uts", "mnt", "net", "cgroup"} {
		here, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(output(t, b, "readlink /proc/self/ns/"+ns)); got == here || !strings.HasPrefix(got, ns+":[") {
			t.Errorf("namespace %s: %s, the host's is %s", ns, got, here)
		}
	}
}

// What runs in a box has the agent's uid, and still can't look into it, write
// to its stream or end it.
func TestI4AgentIsOutOfReach(t *testing.T) {
	e := testEngine(t)
	b := openBox(t, e, testSpec(t, e))
	got := output(t, b, `
		for f in environ mem maps auxv stack syscall; do cat /proc/1/$f >/dev/null 2>&1 && echo "read $f"; done
		ls /proc/1/fd >/dev/null 2>&1 && echo "listed fd"
		for n in 0 1 2; do (echo lie >/proc/1/fd/$n) 2>/dev/null && echo "wrote fd $n"; done
		readlink /proc/1/exe /proc/1/cwd /proc/1/root
		(echo 1000 >/proc/1/oom_score_adj) 2>/dev/null && echo "wrote oom_score_adj"
		for n in $(seq 1 64); do kill -$n 1 2>/dev/null; done
		cat /proc/1/oom_score_adj`)
	if want := fmt.Sprintf("%d\n", oomScore); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := output(t, b, "echo alive"); got != "alive\n" {
		t.Errorf("after the signals: %q", got)
	}
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
