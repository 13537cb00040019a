package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxManifest bounds a manifest in bytes, and maxSpecs the specs of a batch.
const (
	maxManifest = 1 << 20
	maxSpecs    = 10_000
)

// entry is one spec of a batch and what is set for it, by the names of the
// flags of `run`.
type entry struct {
	spec, name string
	line       int // of the manifest; 0 without one
	set        map[string]string
}

// manifest is a batch.yaml: settings for all specs at its top, and the specs.
type manifest struct {
	file    string
	top     map[string]string
	entries []entry
}

// manifestKeys are the flags of `run` that a manifest may set, for all or for
// one spec. What is for a person at a terminal is not among them.
func manifestKeys() []string {
	var keys []string
	for _, f := range runFlags() {
		switch name := f.Names()[0]; name {
		case "project-dir", "record", "dry-run", "on-end", "yes", "json", "quiet", "verbose":
		default:
			keys = append(keys, name)
		}
	}
	return keys
}

// readManifest reads a manifest. A key that is not known is an error with its
// line and what was probably meant.
func readManifest(file string) (manifest, error) {
	m := manifest{file: file, top: map[string]string{}}
	text, err := readAtMost(file, maxManifest)
	switch {
	case err != nil:
		return m, usage(manifestHint, "manifest %s: %v", file, cause(err))
	case len(text) > maxManifest:
		return m, usage("split it into several batches", "manifest %s is larger than 1 MiB", file)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return m, usage(manifestHint, "manifest %s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return m, usage(manifestHint, "manifest %s: it is no list of settings", file)
	}
	var specs *yaml.Node
	for key, value := range pairs(doc.Content[0]) {
		if key.Value == "specs" {
			specs = value
		} else if err := m.setting(m.top, key, value, nil); err != nil {
			return m, err
		}
	}
	if specs == nil || specs.Kind != yaml.SequenceNode || len(specs.Content) == 0 {
		return m, usage(manifestHint, "manifest %s: specs is missing or no list", file)
	}
	for _, node := range specs.Content {
		e, err := m.entry(node)
		if err != nil {
			return m, err
		}
		m.entries = append(m.entries, e)
	}
	return m, nil
}

const manifestHint = "docs/batch.md shows one: specs: [{spec: a.txt, budget: 2}], and settings for all at the top"

// entry is a spec's name, or a mapping with its settings.
func (m manifest) entry(node *yaml.Node) (entry, error) {
	e := entry{line: node.Line, set: map[string]string{}}
	switch node.Kind {
	case yaml.ScalarNode:
		e.spec = node.Value
	case yaml.MappingNode:
		own := map[string]string{}
		for key, value := range pairs(node) {
			if err := m.setting(e.set, key, value, own); err != nil {
				return e, err
			}
		}
		e.spec, e.name = own["spec"], own["name"]
	default:
		return e, m.wrong(node.Line, manifestHint, "a spec is a file, or a mapping with spec")
	}
	if e.spec == "" {
		return e, m.wrong(node.Line, manifestHint, "spec is missing")
	}
	if !filepath.IsAbs(e.spec) {
		e.spec = filepath.Join(filepath.Dir(m.file), e.spec)
	}
	return e, nil
}

// setting reads one key into set; own are those that only a spec has, nil at the top.
func (m manifest) setting(set map[string]string, key, value *yaml.Node, own map[string]string) error {
	name := strings.ReplaceAll(key.Value, "_", "-")
	known := manifestKeys()
	if own != nil {
		known = append(known, "spec", "name")
	}
	if !slices.Contains(known, name) {
		hint := "known are " + strings.Join(known, ", ")
		if near := nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		return m.wrong(key.Line, hint, "unknown key %q", key.Value)
	}
	text, ok := scalar(value)
	if !ok {
		return m.wrong(value.Line, "write a value, or a list of values", "%s has no value", key.Value)
	}
	if own != nil && (name == "spec" || name == "name") {
		set = own
	}
	if _, twice := set[name]; twice {
		return m.wrong(key.Line, "keep one of them", "%s is there twice", key.Value)
	}
	if slices.Contains([]string{"accept", "approve", "prompts"}, name) && !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(m.file), text)
	}
	set[name] = text
	return nil
}

func (m manifest) wrong(line int, hint, format string, args ...any) error {
	return usage(hint, "manifest %s, line %d: %s", m.file, line, fmt.Sprintf(format, args...))
}

// scalar is a value as a flag has it: a list with commas between.
func scalar(n *yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, n.Tag != "!!null"
	case yaml.SequenceNode:
		var words []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", false
			}
			words = append(words, item.Value)
		}
		return strings.Join(words, ","), len(words) > 0
	default:
		return "", false
	}
}

// pairs are the keys and values of a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// layers are the values for one spec: what is set for it, else what the command
// line says, else the manifest's top, else the flag's default.
type layers struct {
	line     values
	top, own map[string]string
}

func (l layers) String(flag string) string {
	if v, ok := l.own[flag]; ok {
		return v
	}
	if v, ok := l.top[flag]; ok && !l.line.IsSet(flag) {
		return v
	}
	return l.line.String(flag)
}

func (l layers) IsSet(flag string) bool {
	_, own := l.own[flag]
	_, top := l.top[flag]
	return own || top || l.line.IsSet(flag)
}

func (l layers) Bool(flag string) bool {
	switch strings.ToLower(l.String(flag)) {
	case "true", "yes", "on":
		return true
	case "false", "no", "off":
		return false
	default:
		return l.line.Bool(flag)
	}
}

func (l layers) Words(flag string) []string {
	if _, set := l.own[flag]; !set && (l.line.IsSet(flag) || l.top[flag] == "") {
		return l.line.Words(flag)
	}
	var words wordList
	if words.Set(l.String(flag)) != nil {
		return nil
	}
	return words
}
