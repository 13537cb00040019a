//go:build !linux

package tree

import (
	"io/fs"
	"time"
)

// ChangeTime is the time of the content's last change where we know no better.
func ChangeTime(info fs.FileInfo) time.Time { return info.ModTime() }
