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

// page is what the template "page" is made of. A page that is served has a
// script, which its policy allows; a file has none.
type page struct {
	*Report
	Policy string
	Style  template.CSS
	Script template.JS
}

// HTML writes r as one file that needs nothing else: no network, no script.
func HTML(w io.Writer, r *Report) error { return writePage(w, r, "") }

// Live writes r as a page that keeps itself up to date: it listens to the
// address "events" beside it, and fetches "main", which [Main] writes, whenever
// it is told something there.
func Live(w io.Writer, r *Report) error {
	script, err := files.ReadFile("templates/live.js")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writePage(w, r, string(script))
}

// Main writes the part of a live page that changes.
func Main(w io.Writer, r *Report) error {
	t, err := templates()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return t.ExecuteTemplate(w, "main", page{Report: r})
}

func writePage(w io.Writer, r *Report, script string) error {
	style, err := files.ReadFile("templates/style.css")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	t, err := templates()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	// Style and script are our own files: the only texts that are not escaped.
	if err := t.ExecuteTemplate(w, "page", page{Report: r, Policy: policy(string(style), script), Style: template.CSS(style), Script: template.JS(script)}); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// policy forbids a page everything but its one style sheet and its one script,
// which may ask where the page came from, so that nothing would run or leave
// even if something had escaped being escaped.
func policy(style, script string) string {
	p := "default-src 'none'; style-src " + hash(style) + "; base-uri 'none'; form-action 'none'"
	if script != "" {
		p += "; script-src " + hash(script) + "; connect-src 'self'"
	}
	return p
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// templates are those of the page and of its parts: "main" is all that changes
// while jobs go on, and a page that is served may use it by itself.
func templates() (*template.Template, error) {
	return template.New("report").Funcs(template.FuncMap{
		"time": forPeople, "thousands": thousands, "thousands64": func(n int64) string { return thousands(int(n)) }, "count": count, "usd": usd, "about": about, "accepted": accepted, "when": when, "marked": marked, "bytes": bytesSize,
		"minute": minute, "clock": clock, "short": func(s string, n int) string { return s[:min(n, len(s))] },
	}).ParseFS(files, "templates/*.html")
}
