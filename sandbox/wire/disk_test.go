package wire

import (
	"errors"
	"testing"
)

// What an agent says of its disk is refused where it can't be: a number that
// would overflow sums, or more than was asked for.
func TestDiskCheck(t *testing.T) {
	space := Disk{Size: 100, Used: 60, Free: 40}
	with := func(u DiskUsage) Disk { d := space; d.Usage = &u; return d }
	items := func(n int, path string) (all []DiskItem) {
		for range n {
			all = append(all, DiskItem{Path: []byte(path), Bytes: 1})
		}
		return all
	}
	for name, c := range map[string]struct {
		disk   Disk
		walked bool
		ok     bool
	}{
		"space":           {space, false, true},
		"usage":           {with(DiskUsage{Bytes: 5, Files: 2, Largest: items(MaxItems, "/workspace/a")}), true, true},
		"usage not asked": {with(DiskUsage{}), false, false},
		"no usage":        {space, true, false},
		"negative":        {Disk{Free: -1}, false, false},
		"endless":         {Disk{Used: 1 << 62}, false, false},
		"negative usage":  {with(DiskUsage{Bytes: -1}), true, false},
		"many items":      {with(DiskUsage{Largest: items(MaxItems+1, "a")}), true, false},
		"no path":         {with(DiskUsage{Largest: items(1, "")}), true, false},
		"long path":       {with(DiskUsage{Largest: items(1, string(make([]byte, MaxPath+1)))}), true, false},
		"endless item":    {with(DiskUsage{Largest: []DiskItem{{Path: []byte("a"), Files: 1 << 62}}}), true, false},
	} {
		if err := c.disk.Check(c.walked); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
