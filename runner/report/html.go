package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed templates
var files embed.FS

// page is what the template "page" is made of. A page that is served may add
// what it needs of scripts and connections to the policy; a file has none.
type page struct {
	*Report
	Policy string
	Style  template.CSS
}

// HTML writes r as one file that needs nothing else: no network, no script.
func HTML(w io.Writer, r *Report) error {
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	t, err := templates()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	// The style is our own file: the only text that is not escaped.
	if err := t.ExecuteTemplate(w, "page", page{Report: r, Policy: policy(style), Style: template.CSS(style)}); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// policy forbids a page everything but its one style sheet, so that nothing
// would run or leave even if something had escaped being escaped.
func policy(style []byte) string {
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// templates are those of the page and of its parts: "main" is all that changes
// while jobs go on, and a page that is served may use it by itself.
func templates() (*template.Template, error) {
	return template.New("report").Funcs(template.FuncMap{
		"time": forPeople, "thousands": thousands, "thousands64": func(n int64) string { return thousands(int(n)) }, "count": count, "usd": usd, "about": about, "accepted": accepted, "when": when, "marked": marked, "bytes": bytesSize,
		"minute": minute, "clock": clock, "short": func(s string, n int) string { return s[:min(n, len(s))] },
	}).ParseFS(files, "templates/*.html")
}
