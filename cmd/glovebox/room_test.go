package main

import (
	"strings"
	"testing"
)

// A batch is refused where nothing could be started, and warned where not all
// of it may fit, both with the numbers.
func TestJudgeRoom(t *testing.T) {
	const gib = 1 << 30
	for _, x := range []struct {
		free, most    int64
		warning, hint string
	}{
		{free: 100 * gib, most: 99 * gib},
		{free: 100 * gib, most: 99*gib + 1, warning: "/x has 100GiB free, and 3 jobs may take 99GiB"},
		{free: gib - 1, most: 1, hint: "/x has 1024MiB free; below 1GiB nothing is started"},
		{free: gib / 2, most: 1, hint: "/x has 512MiB free; below 1GiB nothing is started"},
	} {
		warning, err := judgeRoom("/x", room{x.free, gib}, x.most, 3)
		if (err != nil) != (x.hint != "") || err != nil && err.Error() != x.hint {
			t.Errorf("%+v: %v", x, err)
		}
		if (warning != "") != (x.warning != "") || !strings.HasPrefix(warning, x.warning) {
			t.Errorf("%+v: %q", x, warning)
		}
	}
	if r, err := roomAt(t.TempDir() + "/not/there/yet"); err != nil || r.free <= 0 || r.floor <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
