package images

import (
	"archive/tar"
	"context"
	"io"
	"testing"
)

// step is one call that a scripted store expects, and its answer.
type step struct {
	op, ref string // "find", "pull", "build", "import"; a reference or a tag
	img     Image
	err     error
	hang    bool         // until the context ends
	look    func(any)    // sees what was handed over: a Build or an Import
	say     string       // written to the progress
	digest  string       // of a pull
	rootfs  func([]byte) // sees what was imported
	unread  bool         // the answer comes before the archive's last bytes are read
}

func (st step) check(rootfs []byte) {
	if st.rootfs != nil {
		st.rootfs(rootfs)
	}
}

// script is a store that answers as written and fails the test on anything else.
type script struct {
	t     *testing.T
	steps []step
}

func newScript(t *testing.T, steps ...step) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		if len(s.steps) > 0 && !t.Failed() {
			t.Errorf("the store was not asked to %s %s", s.steps[0].op, s.steps[0].ref)
		}
	})
	return s
}

func (s *script) next(ctx context.Context, op, ref string, progress io.Writer) (step, error) {
	s.t.Helper()
	if len(s.steps) == 0 {
		s.t.Fatalf("unexpected: %s %s", op, ref)
	}
	st := s.steps[0]
	if st.op != op || st.ref != ref {
		s.t.Fatalf("asked to %s %s, expected %s %s", op, ref, st.op, st.ref)
	}
	s.steps = s.steps[1:]
	if progress != nil {
		_, _ = io.WriteString(progress, st.say)
	}
	if st.hang {
		<-ctx.Done()
		return st, ctx.Err()
	}
	return st, st.err
}

func (s *script) Find(ctx context.Context, ref string) (Image, error) {
	s.t.Helper()
	if ctx.Err() != nil {
		return Image{}, ctx.Err() // as an engine does
	}
	st, err := s.next(ctx, "find", ref, nil)
	return st.img, err
}

func (s *script) Pull(ctx context.Context, ref string, progress io.Writer) (string, error) {
	s.t.Helper()
	st, err := s.next(ctx, "pull", ref, progress)
	return st.digest, err
}

func (s *script) Build(ctx context.Context, b Build, progress io.Writer) (string, error) {
	s.t.Helper()
	st, err := s.next(ctx, "build", b.Tag, progress)
	if st.look != nil {
		st.look(b)
	}
	return st.img.ID, err
}

func (s *script) Import(ctx context.Context, i Import, progress io.Writer) (string, error) {
	s.t.Helper()
	st, err := s.next(ctx, "import", i.Tag, progress)
	if st.look != nil {
		st.look(i)
	}
	if err != nil {
		return "", err
	}
	if st.unread {
		_, err = io.ReadFull(i.RootFS, make([]byte, 1))
	} else {
		var b []byte
		b, err = io.ReadAll(i.RootFS) // an engine fails when its archive is cut
		st.check(b)
	}
	if c, ok := i.RootFS.(io.Closer); ok {
		c.Close() // as an HTTP client does when it has its answer
	}
	return st.img.ID, err
}

func (s *script) List(ctx context.Context) ([]Image, error) {
	s.t.Fatal("Ensure has no use for List")
	return nil, nil
}

// contextOf reads the one file of a build's context.
func contextOf(t *testing.T, b Build) (name, content string) {
	t.Helper()
	r := tar.NewReader(b.Context)
	h, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	c, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("more than one file in the build context: %v", err)
	}
	return h.Name, string(c)
}
