package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// forged is an archive that is not made by Changes.Write.
type forged struct {
	b bytes.Buffer
	w *tar.Writer
	n int
}

func forge() *forged {
	f := &forged{}
	f.w = tar.NewWriter(&f.b)
	return f
}

func (f *forged) add(h tar.Header, content string) *forged {
	if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
		h.Mode = 0o644
	}
	h.Size = int64(len(content))
	if err := f.w.WriteHeader(&h); err != nil {
		panic(err)
	}
	io.WriteString(f.w, content)
	f.n++
	return f
}

func (f *forged) file(name, content string) *forged {
	return f.add(tar.Header{Typeflag: tar.TypeReg, Name: name}, content)
}

func (f *forged) link(name, target string) *forged {
	return f.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}, "")
}

func (f *forged) dir(name string) *forged {
	return f.add(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, "")
}

// end closes it as it should be closed.
func (f *forged) end(gone ...string) []byte {
	n := f.n
	return f.endWith(fmt.Sprintf(`{"entries":%d}`, n)+"\n"+strings.Repeat("s", 12*n), gone...)
}

func (f *forged) endWith(text string, gone ...string) []byte {
	for _, p := range gone {
		text += p + "\x00"
	}
	f.file(endName, text)
	return f.open()
}

// open closes it without an end.
func (f *forged) open() []byte {
	if err := f.w.Close(); err != nil {
		panic(err)
	}
	return f.b.Bytes()
}

// patched changes bytes of the first header of an archive and mends its checksum.
func patched(archive []byte, at int, text string) []byte {
	h := archive[:512]
	copy(h[at:], text)
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return archive
}

const typeAt, sizeAt = 156, 124 // in a header of tar

// hostileArchives are all to be refused before anything is touched.
func hostileArchives() map[string][]byte {
	ok := func() *forged { return forge().file("ok", "x") }
	pax := func(key, value string) []byte {
		return forge().add(tar.Header{Typeflag: tar.TypeReg, Name: "a", PAXRecords: map[string]string{key: value}, Format: tar.FormatPAX}, "").end()
	}
	return map[string][]byte{
		"empty":               {},
		"no tar":              bytes.Repeat([]byte("nonsense"), 1000),
		"no end":              ok().open(),
		"cut at an entry":     ok().end()[:1024],
		"cut in a file":       forge().file("a", strings.Repeat("x", 2000)).end()[:1500],
		"cut in the end":      ok().end()[:1024+512+7],
		"parent":              forge().file("../escape", "x").end(),
		"parent inside":       forge().file("a/../../escape", "x").end(),
		"absolute":            forge().file("/tmp/escape", "x").end(),
		"dot":                 forge().dir(".").end(),
		"dot before":          forge().file("./a", "x").end(),
		"empty element":       forge().file("a//b", "x").end(),
		"too long a path":     forge().file(strings.Repeat("abcdefg/", 520)+"x", "x").end(),
		"too long a name":     forge().file(strings.Repeat("x", 256), "x").end(),
		"too deep":            forge().file(strings.Repeat("d/", 250)+"x", "x").end(),
		"hidden":              forge().file("private/features.json", "x").end(),
		"hidden itself":       forge().link("private", "/").end(),
		"hidden is gone":      ok().end("private"),
		"below hidden gone":   ok().end("private/ledger"),
		"staging":             forge().file(".staging/0", "x").end(),
		"through a link":      forge().link("a", "/tmp").file("a/escape", "x").end(),
		"link after":          forge().file("a/b", "x").link("a", "/tmp").end(),
		"link over a dir":     forge().dir("a").link("a", "/tmp").end(),
		"below a file":        forge().file("a", "x").file("a/b", "x").end(),
		"no directory":        forge().file("somebody/x", "x").end(),
		"no directories":      forge().dir("somebody" + strings.Repeat("/x", 200)).end(),
		"directory after":     forge().file("somebody/x", "x").dir("somebody").end(),
		"twice":               forge().file("a", "x").file("a", "y").end(),
		"directory twice":     forge().dir("a").dir("a").end(),
		"hard link":           forge().add(tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "/etc/passwd"}, "").end(),
		"character device":    forge().add(tar.Header{Typeflag: tar.TypeChar, Name: "a", Devmajor: 1, Devminor: 3}, "").end(),
		"block device":        forge().add(tar.Header{Typeflag: tar.TypeBlock, Name: "a", Devmajor: 8}, "").end(),
		"pipe":                forge().add(tar.Header{Typeflag: tar.TypeFifo, Name: "a"}, "").end(),
		"unknown type":        patched(ok().end(), typeAt, "Z"),
		"sparse, old form":    patched(ok().end(), typeAt, "S"),
		"continuous":          patched(ok().end(), typeAt, "7"),
		"header for all":      forge().add(tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "../escape"}}, "").end(),
		"record":              pax("SCHILY.xattr.security.capability", "x"),
		"record of owner":     pax("VENDOR.uid", "0"),
		"says too much":       patched(ok().end(), sizeAt, "00000777777"),
		"says eight exabytes": patched(ok().end(), sizeAt, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"),
		"negative size":       patched(ok().end(), sizeAt, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"link without target": patched(ok().end(), typeAt, "2"),
		"target too long":     forge().link("a", strings.Repeat("t", 4097)).end(),
		"more behind":         append(ok().end(), 0),
		"more entries behind": append(ok().end()[:len(ok().end())-1024], forge().file("b", "x").open()...),
		"wrong count":         ok().endWith(`{"entries":2}` + "\n" + strings.Repeat("s", 12)),
		"end is no JSON":      ok().endWith("x\n" + strings.Repeat("s", 12)),
		"end without a line":  ok().endWith(strings.Repeat(" ", 300) + `{"entries":1}` + "\n" + strings.Repeat("s", 12)),
		"negative counts":     ok().endWith(`{"entries":1,"other":-1}` + "\n" + strings.Repeat("s", 12)),
		"stamps missing":      ok().endWith(`{"entries":1}` + "\n" + "s"),
		"gone cut off":        ok().endWith(`{"entries":1}` + "\n" + strings.Repeat("s", 12) + "gone"),
		"gone and there":      ok().end("ok"),
		"gone, its child not": forge().file("a/b", "x").end("a"),
		"gone twice":          ok().end("known", "known"),
		"gone outside":        ok().end("../escape"),
		"gone, never known":   ok().end("somebody's"),
		"gone, empty":         ok().end(""),
		"torn":                ok().endWith(`{"entries":1,"torn":1}` + "\n" + strings.Repeat("s", 12)),
		"too many bytes":      forge().file("a", strings.Repeat("x", 6*block)).end(),
		"too many in sum":     forge().file("a", strings.Repeat("x", 3*block)).file("b", strings.Repeat("x", 3*block)).end(),
		"too many blocks":     forge().dir("a").dir("b").dir("c").dir("d").file("e", strings.Repeat("x", block+1)).end(),
		"too many entries":    forge().dir("a").dir("b").dir("c").dir("d").dir("e").dir("f").end(),
	}
}

// hostileOptions are those of a small host: 6 blocks, 5 entries. It knows all
// but what is somebody's.
func hostileOptions() UnpackOptions {
	return UnpackOptions{
		Limits: Limits{Bytes: 6 * block, Entries: 5},
		Skip:   func(p string) bool { return top(p) == "private" || top(p) == ".staging" },
		Known:  func(p string) bool { return !strings.HasPrefix(p, "somebody") },
	}
}

// Nothing of an archive that lies is taken, and the directory and what is
// around it are as before.
func TestHostileArchivesChangeNothing(t *testing.T) {
	for name, archive := range hostileArchives() {
		t.Run(name, func(t *testing.T) {
			to := newSide(t).write(t, "private/features.json", "precious", "known", "kept", "a link", "->/tmp")
			before := to.list(t)
			taken, err := to.unpack(archive, hostileOptions())
			known := errors.Is(err, wire.ErrProtocol) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrTorn)
			if !known || len(err.Error()) > 1000 {
				t.Errorf("taken: %+v, %v", taken, err)
			}
			if got := to.list(t); got != before {
				t.Errorf("changed:\n%s", got)
			}
			if _, err := os.Lstat(filepath.Join(filepath.Dir(to.dir), "escape")); err == nil {
				t.Error("it escaped")
			}
		})
	}
}

// A stream that fails in the middle changes nothing either, wherever it fails.
func TestCutStreamChangesNothing(t *testing.T) {
	archive := forge().file("known", "new").dir("d").link("d/l", "..").end("gone")
	for n := 0; n < len(archive); n += 97 {
		to := newSide(t).write(t, "known", "old", "gone", "still here")
		before := to.list(t)
		broken := io.MultiReader(bytes.NewReader(archive[:n]), failing{})
		_, err := Unpack(context.Background(), broken, to.root, UnpackOptions{Limits: all, Staging: ".staging"})
		if err == nil || to.list(t) != before {
			t.Fatalf("cut after %d bytes: %v\n%s", n, err, to.list(t))
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the stream is cut") }

// What an archive may do it does without following what lies there: links on
// the way and in the place are replaced, the modes are those of plain files.
func TestUnpackFollowsNothing(t *testing.T) {
	outside := newSide(t).write(t, "file", "precious", "dir/file", "precious")
	before := outside.list(t)
	to := newSide(t).write(t, "a", "->"+outside.dir, "b", "->"+filepath.Join(outside.dir, "file"), "d/sub", "->../private", "private/x", "precious",
		"known", "->"+filepath.Join(outside.dir, "dir"))
	if err := syscall.Mkfifo(filepath.Join(to.dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	archive := forge().file("a/file", "1").file("b", "2").file("d/sub/x", "3").file("pipe", "4").
		add(tar.Header{Typeflag: tar.TypeReg, Name: "root", Mode: 0o6755, Uid: 0, Gid: 0, Uname: "root"}, "5").end("known", "known/file", "dangling/x")
	if _, err := to.unpack(archive, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	want := "a drwxr-xr-x \"\"\na/file -rw-r--r-- \"1\"\nb -rw-r--r-- \"2\"\nd drwxr-xr-x \"\"\nd/sub drwxr-xr-x \"\"\nd/sub/x -rw-r--r-- \"3\"\n" +
		"pipe -rw-r--r-- \"4\"\nprivate drwxr-xr-x \"\"\nprivate/x -rw-r--r-- \"precious\"\nroot -rwxr-xr-x \"5\"\n"
	if got := to.list(t); got != want {
		t.Errorf("unpacked:\n%swant\n%s", got, want)
	}
	if got := outside.list(t); got != before {
		t.Errorf("outside there is now\n%s", got)
	}
}

// A directory that must not be touched is not, whatever name leads to it: a
// second name stands in here for one in other letters.
func TestGuardedDirectory(t *testing.T) {
	to := newSide(t).write(t, "private/features.json", "precious")
	info, err := to.root.Lstat("private")
	if err != nil {
		t.Fatal(err)
	}
	archive := forge().file("private/features.json", "forged").end("private/other")
	if _, err := to.unpack(archive, UnpackOptions{Guard: info}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.unpack(forge().link("private", "/").end(), UnpackOptions{Guard: info}); err != nil {
		t.Fatal(err)
	}
	if got := to.list(t); got != "private drwxr-xr-x \"\"\nprivate/features.json -rw-r--r-- \"precious\"\n" {
		t.Error(got)
	}
}

// What somebody here has changed meanwhile is not removed because it is gone
// there, and a directory that has got something new stays.
func TestKeepsWhatChangedHere(t *testing.T) {
	to := newSide(t).write(t, "mine", "edited", "theirs", "x", "dir/new", "mine")
	keep := func(p string, _ Stamp) bool { return p == "mine" }
	if _, err := to.unpack(forge().end("mine", "theirs", "dir"), UnpackOptions{Keep: keep}); err != nil {
		t.Fatal(err)
	}
	if got := to.list(t); strings.Contains(got, "theirs") || !strings.Contains(got, "mine -rw") || !strings.Contains(got, "dir/new") {
		t.Error(got)
	}
}

// What comes belongs to whom the caller says, made by root or not: a box's files
// in the project of an ordinary user must not become root's.
func TestUnpackGivesAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	to := newSide(t)
	archive := forge().file("made/file", "x").dir("dir").link("link", "/").end()
	if _, err := to.unpack(archive, UnpackOptions{Owner: &Owner{10001, 10002}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"made", "made/file", "dir", "link"} {
		info, err := os.Lstat(filepath.Join(to.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 10001 || stat.Gid != 10002 {
			t.Errorf("%s belongs to %d:%d", name, stat.Uid, stat.Gid)
		}
	}
}

// Times that can't be set are no reason to fail, and become the closest that
// can be: nothing from the future is old here. (A file system may know less.)
func TestOddTimes(t *testing.T) {
	to := newSide(t)
	for when, want := range map[time.Time][2]int{
		time.Unix(-1<<40, 5):                         {1677, 1901},
		time.Unix(1<<40, 999):                        {2038, 2262},
		time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC):  {2038, 2262},
		time.Date(2030, 1, 1, 0, 0, 0, 77, time.UTC): {2030, 2030},
	} {
		h := tar.Header{Typeflag: tar.TypeReg, Name: "a", ModTime: when, Format: tar.FormatPAX}
		if _, err := to.unpack(forge().add(h, "").end(), UnpackOptions{}); err != nil {
			t.Errorf("%v: %v", when, err)
		}
		info, err := to.root.Lstat("a")
		if err != nil {
			t.Fatal(err)
		}
		if year := info.ModTime().UTC().Year(); year < want[0] || year > want[1] {
			t.Errorf("%v became %v", when, info.ModTime())
		}
	}
}

// changedAt is a file whose content was last changed then.
type changedAt struct {
	fs.FileInfo
	when time.Time
}

func (c changedAt) ModTime() time.Time { return c.when }

// No two times have the same stamp, though their nanoseconds since 1970 have
// the same 64 bits.
func TestStampsOfFarTimesDiffer(t *testing.T) {
	s := newSide(t).write(t, "a", "x")
	info, err := s.root.Lstat("a")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	around := now.Add(math.MaxInt64).Add(math.MaxInt64).Add(2) // 2^64 ns later
	if stampOf(changedAt{info, now}, "") == stampOf(changedAt{info, around}, "") {
		t.Errorf("%v and %v have one stamp", now, around)
	}
}

// A cancelled context ends both sides.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := newSide(t).write(t, "a", "x")
	if _, err := Look(ctx, s.root, LookOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Unpack(ctx, bytes.NewReader(nil), s.root, UnpackOptions{Staging: ".staging", Limits: all}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzUnpack: no bytes make the reader panic, take more than it may, or touch
// anything but what an archive may touch.
func FuzzUnpack(f *testing.F) {
	for _, archive := range hostileArchives() {
		f.Add(archive)
	}
	f.Add(forge().file("a/b", "content").link("l", "/etc/passwd").dir("d").end("known"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		to := newSide(t).write(t, "private/features.json", "precious", "known", "kept")
		before := to.list(t)
		taken, err := to.unpack(archive, hostileOptions())
		if err != nil {
			if got := to.list(t); got != before {
				t.Fatalf("%v, and yet changed:\n%s", err, got)
			}
			return
		}
		if data, err := os.ReadFile(filepath.Join(to.dir, "private/features.json")); err != nil || string(data) != "precious" || len(taken.Paths) > 5 {
			t.Fatalf("%q, %v, %d entries", data, err, len(taken.Paths))
		}
		size := int64(0)
		filepath.WalkDir(to.dir, func(at string, d fs.DirEntry, err error) error {
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
			return nil
		})
		if size > 6*block+int64(len("precious"+"kept")) {
			t.Fatalf("%d bytes", size)
		}
		// What was taken travels on.
		if _, err := Look(context.Background(), to.root, LookOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzReadStamps: what the other side is said to have is bounded and checked.
func FuzzReadStamps(f *testing.F) {
	var b bytes.Buffer
	WriteStamps(&b, map[string]Stamp{"a": {1}, "b/c": {2}})
	f.Add(b.Bytes())
	f.Add([]byte("a\x00short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		have, err := ReadStamps(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if WriteStamps(&again, have); again.Len() > len(data) {
			t.Fatalf("%d bytes became %d", len(data), again.Len())
		}
	})
}
