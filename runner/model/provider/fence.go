package provider

import (
	"fmt"
	"path"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Fence are patterns of names provider/model, as path.Match reads them ("*"
// stops at "/"). nil fences nothing off, an empty one everything.
type Fence []string

// ParseFence reads patterns between commas; nil of a blank text. A pattern
// that path.Match can't read is an error.
func ParseFence(text string) (Fence, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	fence := Fence{}
	for _, pattern := range strings.Split(text, ",") {
		if pattern = strings.TrimSpace(pattern); pattern != "" {
			fence = append(fence, pattern)
		}
	}
	_, err := fence.allows("")
	return fence, err
}

// allows says whether a pattern matches name. A pattern that can't be read is an error.
func (f Fence) allows(name string) (bool, error) {
	matched := f == nil
	for _, pattern := range f {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return false, &model.Error{Fault: model.FaultOption, Message: fmt.Sprintf("the pattern %.80q of allowed models can't be read", pattern), Err: err}
		}
		matched = matched || ok
	}
	return matched, nil
}

// allowed refuses a name that one of the fences keeps out: each has to allow
// it, so that no fence can be widened by another.
func allowed(name string, fences []Fence) error {
	for _, f := range fences {
		ok, err := f.allows(name)
		if err != nil {
			return err
		}
		if !ok {
			return &model.Error{Fault: model.FaultNotAllowed, Message: fmt.Sprintf(
				"%s is not among the models that are allowed: %.200s (a * stops at a /)", name, strings.Join(f, ", "))}
		}
	}
	return nil
}

// affordable refuses a model that costs money where none may be spent.
func (r request) affordable(info model.Info) error {
	why := ""
	switch {
	case info.Price.Free():
		return nil
	case r.BlockPaid:
		why = "paid models are blocked"
	case r.Budget != nil && !r.Budget.IsPositive():
		why = "the budget is 0"
	default:
		return nil
	}
	return &model.Error{Fault: model.FaultPaid, Message: fmt.Sprintf("%s/%s costs %s, and %s", r.provider, r.id, describe(info.Price), why)}
}
