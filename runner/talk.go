package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/text"
)

// chooseTools decides how the model calls tools, and what it is told of it: by
// itself where it can, in words (package text) where it can't, where it did so
// in an earlier process, and where a person says so.
func (j *job) chooseTools() (err error) {
	cant := j.o.ModelInfo.Tools == model.Unsupported
	switch j.o.Tools {
	case ToolsText:
		j.text = true
	case ToolsNative:
	default:
		j.text = cant || j.past.text
		j.called = j.past.called && !j.text
		if cant {
			err = j.note("the model's catalogue says that it can't call tools: it is asked for commands in words")
		}
	}
	if err != nil {
		return err
	}
	j.system, err = j.systemPrompt()
	return err
}

// toText asks the model for commands in words from now on. It is for a model
// that has called nothing by itself, and where a person left the choice to us.
func (s *session) toText(why string) (done bool, err error) {
	j := s.job
	auto := j.o.Tools == "" || j.o.Tools == ToolsAuto
	if j.text || j.called || !auto {
		return false, nil
	}
	j.text = true
	if j.system, err = j.systemPrompt(); err != nil {
		return false, err
	}
	s.messages[0].Content = j.system
	s.silent = 0
	s.window.forget()
	return true, j.note(why + ": it is asked for commands in words from now on (--tools native changes that)")
}

// reply asks the model in the way it calls tools.
func (j *job) reply(ctx context.Context, r model.Request) (model.Reply, error) {
	if j.text {
		return text.Protocol(j.model).Reply(ctx, r)
	}
	return j.model.Reply(ctx, r)
}

// nudge answers a reply that calls nothing.
func (s *session) nudge(reply model.Reply) error {
	if strings.TrimSpace(reply.Content) != "" {
		s.append(model.Message{Role: model.Assistant, Content: reply.Content, Reasoning: reply.Reasoning})
	}
	if s.job.text {
		s.faulty++
		s.unreadable(text.Parse(reply.Content))
		return nil
	}
	s.silent++
	if s.silent >= silentToText && s.job.o.ModelInfo.Tools == model.SupportUnknown {
		done, err := s.toText(fmt.Sprintf("the model called nothing in %d replies", s.silent))
		if done || err != nil {
			s.unreadable(text.Parse(""))
			return err
		}
	}
	s.append(model.Message{Role: model.User, Content: prompts.Message("E6", nil)})
	return nil
}

// unreadable tells the model what a command looks like.
func (s *session) unreadable(c text.Command) {
	s.append(model.Message{Role: model.User, Content: prompts.Message("E4", map[string]any{"Fault": c.Fault, "Form": c.Form})})
}

// bounded is a list of names out of a reply, for the ledger.
func (j *job) bounded(names []string) []string {
	var out []string
	for _, name := range names[:min(len(names), 16)] {
		out = append(out, j.clip(name, 80))
	}
	return out
}
