package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/runner/feature"
)

// featureTable shows each feature with the command that proves it, and what
// that command says now, which is the best evidence that it tests something.
func featureTable(list []feature.Feature, note string, red map[string]string, columns int) []string {
	var lines []string
	ids := 0
	for _, f := range list {
		ids = max(ids, width(plain(f.ID)))
	}
	number := len(fmt.Sprint(len(list)))
	indent := strings.Repeat(" ", number+ids+6)
	for i, f := range list {
		for k, part := range wrap(plain(f.Description), max(columns-len(indent)-1, 20)) {
			n, id := "", ""
			if k == 0 {
				n, id = fmt.Sprint(i+1), plain(f.ID)
			}
			lines = append(lines, fmt.Sprintf("  %*s  %s  %s", number, n, pad(id, ids), part))
		}
		lines = append(lines, labelled(indent, "proof", f.Verify, columns)...)
		if len(f.Frozen) == 0 {
			lines = append(lines, labelled(indent, "frozen", "nothing", columns)...)
		}
		lines = append(lines, labelled(indent, "now", red[f.ID], columns)...)
	}
	if note != "" {
		lines = append(lines, "")
		for _, part := range wrap("Not covered, in the planner's words: "+plain(note), max(columns-3, 20)) {
			lines = append(lines, "  "+part)
		}
	}
	return lines
}

// labelled is a text behind a label, broken into lines below one another.
func labelled(indent, label, text string, columns int) (lines []string) {
	for _, part := range wrap(plain(text), max(columns-len(indent)-9, 20)) {
		lines = append(lines, indent+pad(label, 8)+part)
		label = ""
	}
	return lines
}

// outputShown is how many lines of a verify's output an unfolded feature has.
const outputShown = 20

// unfolded is all that there is to know of one feature.
func unfolded(f feature.Feature, red, output string, columns int) []string {
	const indent = "      "
	lines := []string{"  " + plain(f.ID) + " (" + plain(f.Category) + ")"}
	lines = append(lines, labelled(indent, "is", f.Description, columns)...)
	for i, step := range f.Steps {
		label := ""
		if i == 0 {
			label = "steps"
		}
		lines = append(lines, labelled(indent, label, fmt.Sprintf("%d. %s", i+1, step), columns)...)
	}
	lines = append(lines, labelled(indent, "proof", f.Verify, columns)...)
	lines = append(lines, labelled(indent, "frozen", cmp.Or(strings.Join(f.Frozen, ", "), "nothing"), columns)...)
	if output = strings.TrimSpace(output); output == "" {
		return append(lines, labelled(indent, "now", red, columns)...)
	}
	said := strings.Split(output, "\n")
	if len(said) > outputShown {
		said = said[len(said)-outputShown:]
	}
	label := "now"
	for _, line := range said {
		lines = append(lines, indent+pad(label, 8)+cut(plain(line), max(columns-len(indent)-9, 20)))
		label = ""
	}
	return lines
}
