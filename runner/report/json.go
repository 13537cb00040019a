package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes r as docs/report.schema.json describes it.
func JSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
