package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"testing"
)

// junitElements are the elements of the schema that CI servers share (Ant's, as
// in windyroad/JUnit-Schema and Jenkins' xunit plugin): what each may hold, in
// this order, and its attributes; those with "!" must be there.
var junitElements = map[string]struct{ children, attributes []string }{
	"testsuites": {[]string{"testsuite"}, []string{"name", "time", "tests", "failures", "disabled", "errors", "skipped"}},
	"testsuite": {[]string{"properties", "testcase", "system-out", "system-err"},
		[]string{"name!", "tests!", "failures!", "errors!", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package", "file"}},
	"properties": {[]string{"property"}, nil},
	"property":   {nil, []string{"name!", "value!"}},
	"testcase":   {[]string{"skipped", "error", "failure", "system-out", "system-err"}, []string{"name!", "classname!", "time", "status"}},
	"skipped":    {nil, []string{"message", "type"}},
	"error":      {nil, []string{"message", "type"}},
	"failure":    {nil, []string{"message", "type"}},
	"system-out": {nil, nil},
	"system-err": {nil, nil},
}

// checkJUnit holds a file against the common schema, and its counts against
// what it contains.
func checkJUnit(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	var open []string
	last := []int{-1} // place of the last child among those allowed
	counts := map[string]int{}
	var said map[string]int
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			if len(open) == 0 && name != "testsuites" {
				t.Errorf("the root is %s", name)
			}
			if len(open) > 0 {
				place := slices.Index(junitElements[open[len(open)-1]].children, name)
				if place < last[len(last)-1] {
					t.Errorf("%s must not stand there in %s", name, open[len(open)-1])
				}
				last[len(last)-1] = place
			}
			attributes := checkAttributes(t, e)
			counts[name]++
			if name == "testsuite" {
				said = map[string]int{"testcase": attributes["tests"], "failure": attributes["failures"], "error": attributes["errors"], "skipped": attributes["skipped"]}
				counts = map[string]int{}
			}
			open, last = append(open, name), append(last, -1)
		case xml.EndElement:
			open, last = open[:len(open)-1], last[:len(last)-1]
			for name, n := range said {
				if e.Name.Local == "testsuite" && counts[name] != n {
					t.Errorf("the suite says %d of %s and has %d", n, name, counts[name])
				}
			}
		}
	}
}

func checkAttributes(t *testing.T, e xml.StartElement) map[string]int {
	t.Helper()
	numbers, have := map[string]int{}, map[string]bool{}
	known, exists := junitElements[e.Name.Local]
	if !exists {
		t.Errorf("there is no element %s", e.Name.Local)
	}
	for _, a := range e.Attr {
		have[a.Name.Local] = true
		if !slices.Contains(known.attributes, a.Name.Local) && !slices.Contains(known.attributes, a.Name.Local+"!") {
			t.Errorf("%s has no attribute %s", e.Name.Local, a.Name.Local)
		}
		if n, err := strconv.Atoi(a.Value); err == nil {
			numbers[a.Name.Local] = n
		}
	}
	for _, name := range known.attributes {
		if required := name[:len(name)-1]; name[len(name)-1] == '!' && !have[required] {
			t.Errorf("%s lacks %s", e.Name.Local, required)
		}
	}
	return numbers
}
