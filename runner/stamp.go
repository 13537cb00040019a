package runner

import (
	"fmt"
	"strings"
)

// Stamp changes whenever [ReadStatus] or [ReadReport] would say something else
// of the job in dir. Asking for it costs nothing; "" is no job.
func Stamp(dir string) string {
	root, err := openForReading(dir)
	if err != nil {
		return ""
	}
	defer root.Close()
	var b strings.Builder
	fmt.Fprint(&b, locked(root))
	for _, name := range []string{jobFile, ledgerFile, featuresFile, lentFile} {
		if info, err := root.Lstat(name); err == nil {
			fmt.Fprint(&b, " ", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
