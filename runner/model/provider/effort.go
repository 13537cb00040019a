package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Efforts are the levels of reasoning that services know, from none to all.
// Which of them a model takes is the model's affair.
func Efforts() []string {
	return []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
}

// defaultEffort is asked for where the effort can be set: models that reason
// at length use up the reply before they call anything.
const defaultEffort = "low"

// effortAmong is the level to send to a model that lists the levels it takes,
// "" to send none. An empty list of a model that can be set is any level.
func (r request) effortAmong(settable bool, levels []string, standard string) (string, error) {
	if r.Effort == "" {
		if settable && (len(levels) == 0 || slices.Contains(levels, standard)) {
			return standard, nil
		}
		return "", nil
	}
	switch {
	case !settable && r.Effort == "none":
		return "", nil
	case !settable:
		return "", r.option("%s/%s has no effort of reasoning to be set", r.provider, r.id)
	case len(levels) > 0 && !slices.Contains(levels, r.Effort):
		return "", r.option("%s/%s does not take --effort %s, but %.200s", r.provider, r.id, r.Effort, strings.Join(levels, ", "))
	}
	return r.Effort, nil
}

// withoutReasoning are the families that api.openai.com lets use tools on
// chat-completions only without reasoning (docs/models.md).
func withoutReasoning() []string { return []string{"gpt-5.6", "gpt-6-sol", "gpt-6-luna"} }

// withoutTools are those that it lets use none there at all.
func withoutTools() []string { return []string{"gpt-6-astra", "gpt-6.1-sol"} }

func ofFamily(id string, families []string) bool {
	return slices.ContainsFunc(families, func(f string) bool { return id == f || strings.HasPrefix(id, f+"-") })
}

// openaiEffort is what api.openai.com, or a server that serves its models, is
// sent: nothing unless it is asked for or demanded.
func (r request) openaiEffort() (string, error) {
	if ofFamily(r.id, withoutReasoning()) {
		return r.effortAmong(true, []string{"none"}, "none")
	}
	return r.Effort, nil
}

// option is the refusal of an option.
func (r request) option(format string, args ...any) error {
	return &model.Error{Fault: model.FaultOption, Message: fmt.Sprintf(format, args...)}
}
