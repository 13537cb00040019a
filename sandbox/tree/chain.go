package tree

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// chain holds the directories open that lead to where work is done. A path from
// the top would be looked up from there for every file; in a deep tree that a
// box has made this takes hours. Work goes from directory to directory as a
// walk does, so that each is opened once.
type chain struct {
	levels []level // the first is the top
	// make, if not nil, makes the directory name in dir, where something else,
	// or nothing, is: a chain that only reads has none.
	make func(dir *os.Root, name string) error
}

// level is one directory of a chain.
type level struct {
	name string
	dir  *os.Root
	file *os.File // the same, for renaming into it; nil until asked for
}

func newChain(top *os.Root) *chain { return &chain{levels: []level{{dir: top}}} }

// enter opens a directory, "" is the top. Every one on the way is a real one,
// or is made one, or fs.ErrNotExist is returned.
func (c *chain) enter(dir string) (*level, error) {
	var names []string
	if dir != "" {
		names = strings.Split(dir, "/")
	}
	same := 0
	for same < len(names) && same+1 < len(c.levels) && c.levels[same+1].name == names[same] {
		same++
	}
	if err := c.leave(same + 1); err != nil {
		return nil, err
	}
	for i := same; i < len(names); i++ {
		if err := c.down(names[i]); err != nil {
			return nil, err
		}
	}
	return &c.levels[len(c.levels)-1], nil
}

func (c *chain) down(name string) error {
	above := c.levels[len(c.levels)-1].dir
	dir, err := Descend(above, name)
	if errors.Is(err, fs.ErrNotExist) && c.make != nil {
		if err := c.make(above, name); err != nil {
			return err
		}
		dir, err = Descend(above, name)
	}
	if err != nil {
		return err
	}
	c.levels = append(c.levels, level{name: name, dir: dir})
	return nil
}

// leave closes all but the first n levels.
func (c *chain) leave(n int) error {
	var errs []error
	for _, l := range c.levels[n:] {
		errs = append(errs, l.dir.Close())
		if l.file != nil {
			errs = append(errs, l.file.Close())
		}
	}
	c.levels = c.levels[:n]
	return errors.Join(errs...)
}

// close closes all but the top, which is somebody else's.
func (c *chain) close() error {
	var err error
	if c.levels[0].file != nil {
		err = c.levels[0].file.Close()
	}
	return errors.Join(err, c.leave(1))
}

// fd is a descriptor of a directory.
func (l *level) fd() (int, error) {
	if l.file == nil {
		f, err := l.dir.Open(".")
		if err != nil {
			return 0, err
		}
		l.file = f
	}
	return int(l.file.Fd()), nil
}

// byWalk orders paths as a walk comes to them: what is in a directory right
// behind it.
func byWalk(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			switch {
			case a[i] == '/':
				return -1
			case b[i] == '/':
				return 1
			}
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}
