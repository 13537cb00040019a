package report

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// The names of a report's files.
const (
	HTMLFile  = "report.html"
	JSONFile  = "report.json"
	JUnitFile = "junit.xml"
)

// Form is a way to write a report.
type Form struct {
	File  string
	Write func(io.Writer, *Report) error
}

// Forms are all of them.
func Forms() []Form {
	return []Form{{HTMLFile, HTML}, {JSONFile, JSON}, {JUnitFile, JUnit}}
}

// Save writes all files of r into the directory root, each whole or not at all.
func Save(root *os.Root, r *Report, perm fs.FileMode) error {
	for _, form := range Forms() {
		var b bytes.Buffer
		if err := form.Write(&b, r); err != nil {
			return err
		}
		if err := atomicfile.Write(root, form.File, b.Bytes(), perm); err != nil {
			return fmt.Errorf("save report: %w", err)
		}
	}
	return nil
}
