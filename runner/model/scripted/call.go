package scripted

import (
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Call is one tool call, in YAML a mapping with one key:
//
//	bash: {command: ls}
//
// Its tool and parameters are checked, so that a slip in a script is an error
// and not a model's mistake. A mistake that is wanted is written as
//
//	raw: {name: bsh, arguments: "{not even JSON"}
type Call struct {
	Name      string
	Arguments string // as the model writes it, JSON unless raw
}

// parameters are the tools' parameters; the first so many are required.
func parameters(tool string) (names []string, required int) {
	switch tool {
	case "bash":
		return []string{"command", "timeout", "box"}, 0
	case "read":
		return []string{"path", "offset", "limit"}, 1
	case "write":
		return []string{"path", "content"}, 2
	case "edit":
		return []string{"path", "old_string", "new_string", "replace_all"}, 3
	case "finish":
		return []string{"status", "note"}, 2
	case "raw":
		return []string{"name", "arguments"}, 2
	default:
		return nil, 0
	}
}

// UnmarshalYAML reads a call and checks it.
func (c *Call) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return fmt.Errorf("line %d: a call is one tool with its parameters, like bash: {command: ls}", n.Line)
	}
	tool, node := n.Content[0].Value, n.Content[1]
	known, required := parameters(tool)
	if known == nil {
		return fmt.Errorf("line %d: unknown tool %q", n.Line, tool)
	}
	var args map[string]any
	if err := node.Decode(&args); err != nil {
		return fmt.Errorf("line %d: the parameters of %s: %w", n.Line, tool, err)
	}
	for name := range args {
		if !slices.Contains(known, name) {
			return fmt.Errorf("line %d: %s has no parameter %q", n.Line, tool, name)
		}
	}
	for _, name := range known[:required] {
		if args[name] == nil {
			return fmt.Errorf("line %d: %s needs %s", n.Line, tool, name)
		}
	}
	if tool == "bash" && args["command"] == nil && args["box"] == nil {
		return fmt.Errorf("line %d: bash needs command or box", n.Line)
	}
	if tool == "raw" {
		c.Name, c.Arguments = fmt.Sprint(args["name"]), fmt.Sprint(args["arguments"])
		return nil
	}
	b, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("line %d: the parameters of %s: %w", n.Line, tool, err)
	}
	c.Name, c.Arguments = tool, string(b)
	return nil
}

// finish is a call of finish.
func finish(status, note string) Call {
	b, err := json.Marshal(map[string]string{"status": status, "note": note})
	if err != nil { // two strings always marshal
		b = []byte("{}")
	}
	return Call{Name: "finish", Arguments: string(b)}
}
