package tool

import (
	"fmt"
	"strings"
)

// Bounds of the search for the closest lines: they keep it under a second for
// any file a model may point at.
const (
	closestLines  = 20     // shown at most, and compared of old_string
	closestFile   = 20_000 // lines of the file that are looked at
	closestWidth  = 200    // bytes of a line that are compared
	closestEnough = 0.4    // mean likeness of the lines; below it there is nothing to show
)

// closest is the piece of text most like old, as real lines, with its place
// ("lines 41-48"); "" if nothing is like it. Lines are cut at width bytes.
func closest(text, old string, width int) (where, piece string) {
	file := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(file) > closestFile {
		file = file[:closestFile]
	}
	want := wanted(old)
	best, at := 0.0, -1
	for i := range file {
		score := 0.0
		for j := range min(len(want), len(file)-i) {
			score += likeness(want[j], strings.TrimSpace(file[i+j]))
		}
		if score > best {
			best, at = score, i
		}
	}
	if at < 0 || best/float64(len(want)) < closestEnough {
		return "", ""
	}
	end := min(at+len(want), len(file))
	piece = boundLines(strings.Join(file[at:end], "\n"), width)
	if end == at+1 {
		return fmt.Sprintf("line %d", end), piece
	}
	return fmt.Sprintf("lines %d-%d", at+1, end), piece
}

// wanted are the lines to look for, without the empty ones around them.
func wanted(old string) []string {
	all := strings.Split(strings.Trim(old, "\n"), "\n")
	all = all[:min(len(all), closestLines)]
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// likeness of two lines, from 0 to 1: how much of the longer one their common
// beginning and end make up. Blanks at the ends don't count: models get them
// wrong most often, and the real lines show them.
func likeness(a, b string) float64 {
	a, b = cutBytes(a, closestWidth), cutBytes(b, closestWidth)
	if a == b {
		if a == "" {
			return 0.5 // two empty lines say little
		}
		return 1
	}
	short, long := min(len(a), len(b)), max(len(a), len(b))
	if short == 0 {
		return 0
	}
	begin := 0
	for begin < short && a[begin] == b[begin] {
		begin++
	}
	end := 0
	for end < short-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return float64(begin+end) / float64(long) * 0.95
}
