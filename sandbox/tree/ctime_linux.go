package tree

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangeTime is when the inode was last changed.
func ChangeTime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return info.ModTime()
}
