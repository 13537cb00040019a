package feature

// List is a feature list in the order of its priority.
type List = []Feature

// Next is the first feature that neither passes nor is blocked.
func Next(list List) (Feature, bool) {
	for _, f := range list {
		if !f.Passes && !f.Blocked {
			return f, true
		}
	}
	return Feature{}, false
}

// Public is the text of feature_list.json as the host writes it into the workspace.
func Public(list List) []byte { return nil }

// Hash is the SHA-256 of what was agreed, in hex: everything but Passes and Blocked.
func Hash(list List) string { return "" }

// Problem is one fault of a list that a model wrote.
type Problem struct {
	Entry string // "entry 2 (add)", or "" for the whole file
	Field string // "verify", or ""
	Text  string // what is wrong and what to do
}

// String is the problem as one line for the model.
func (p Problem) String() string { return p.Text }

// Parse reads a feature_list.json that a model wrote. want is how many
// features it must have. Without problems the list is good.
func Parse(data []byte, want int) (List, []Problem) { return nil, nil }
