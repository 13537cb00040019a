package tool

import (
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/plain"
	"github.com/glovebox-run/glovebox/sandbox"
)

// Summary is the use as one line for people, of at most about 120 characters.
func (u Use) Summary() string {
	const long = 110
	switch u.Name {
	case Bash:
		if u.Box != "" {
			return plain.Line(strings.TrimSpace("bash box "+u.Box+" "+u.Command), long)
		}
		return "bash " + plain.Line(strings.ReplaceAll(strings.TrimSpace(u.Command), "\n", "; "), long)
	case Read:
		s := "read " + plain.Line(show(u.Path), long-20)
		if u.Offset > 1 {
			s += fmt.Sprintf(" from line %d", u.Offset)
		}
		return s
	case Write:
		return fmt.Sprintf("write %s, %s", plain.Line(show(u.Path), long-20), count(lines(u.Content), "line"))
	case Edit:
		return "edit " + plain.Line(show(u.Path), long)
	case Finish:
		return plain.Line("finish "+u.Status+": "+u.Note, long)
	default:
		return plain.Line(string(u.Name), long)
	}
}

// locate is the path for the box: relative if it lies in the workspace, else
// absolute. "~" and $HOME mean the home of the box, as in a shell.
func locate(p string) string {
	p = strings.TrimSpace(p)
	for _, home := range []string{"~", "$HOME", "${HOME}"} {
		if rest, ok := strings.CutPrefix(p, home); ok && (rest == "" || rest[0] == '/') {
			p = sandbox.Home + rest
		}
	}
	if !path.IsAbs(p) {
		p = path.Join(sandbox.Workspace, p)
	}
	p = path.Clean(p)
	if p == sandbox.Workspace {
		return "."
	}
	if rest, ok := strings.CutPrefix(p, sandbox.Workspace+"/"); ok {
		return rest
	}
	return p
}

// show is a path as the model and people are shown it: relative to the
// workspace where possible, $HOME by its name, bounded and harmless.
func show(p string) string {
	p = locate(p)
	if rest, ok := strings.CutPrefix(p, sandbox.Home+"/"); ok {
		p = "$HOME/" + rest
	}
	return plain.Line(p, 200)
}

// inTmp says that a path is lost with the box.
func inTmp(p string) bool { return strings.HasPrefix(locate(p), "/tmp/") }

// lines counts the lines of a text; a last one without a line break counts.
func lines(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}

// count is "1 line" or "3 lines".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size is a number of bytes for reading: "912 B", "2.9 KB", "4.0 MB".
func size[N int | int64](n N) string {
	switch f := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case f < 1000<<10:
		return fmt.Sprintf("%.1f KB", f/(1<<10))
	case f < 1000<<20:
		return fmt.Sprintf("%.1f MB", f/(1<<20))
	default:
		return fmt.Sprintf("%.1f GB", f/(1<<30))
	}
}

// seconds is a duration for reading: "0.41 s", "75.3 s".
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// whole is a duration in whole seconds where that is exact.
func whole(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d", int(d.Seconds()))
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

// cutBytes cuts s to max bytes without splitting a character.
func cutBytes(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// boundLines cuts lines that are longer than max bytes and says by how much.
func boundLines(s string, max int) string {
	if !longLine(s, max) {
		return s
	}
	all := strings.Split(s, "\n")
	for i, line := range all {
		if len(line) > max {
			head := cutBytes(line, max)
			all[i] = fmt.Sprintf("%s… [%s more in this line]", head, size(len(line)-len(head)))
		}
	}
	return strings.Join(all, "\n")
}

func longLine(s string, max int) bool {
	for line := range strings.SplitSeq(s, "\n") {
		if len(line) > max {
			return true
		}
	}
	return false
}
