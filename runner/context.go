package runner

import (
	"fmt"

	"github.com/glovebox-run/glovebox/prompts"
	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/tool"
)

// window is the room that a conversation has in the model, and how much of it
// is taken. A conversation is measured in bytes; how many tokens they are the
// provider says with each reply.
type window struct {
	size          int // tokens; 0: unknown
	bytes, tokens int // of the last request that the provider has counted
	most          int // tokens that it has counted of this conversation, of which nothing was left out since
	told          bool
	squeezed      bool // it was too long for the provider once
}

// estimate is how many tokens so many bytes of this conversation are.
func (w *window) estimate(bytes int) int {
	if w.tokens == 0 {
		return bytes / bytesPerToken
	}
	return int(float64(bytes) * float64(w.tokens) / float64(w.bytes))
}

// full says that so many bytes take at least so many percent of the window.
func (w *window) full(bytes, percent int) bool {
	return w.size > 0 && w.estimate(bytes)*100 >= w.size*percent
}

// counted takes what the provider has counted of a request of so many bytes.
// cut says that it saw clearly less than before, though the conversation had
// only grown: the server has left out a part of it in silence.
func (w *window) counted(bytes int, u model.Usage) (before int, cut bool) {
	prompt := u.Prompt
	if u.Cached > prompt { // some count what came from the cache beside it
		prompt += u.Cached
	}
	if !u.Known || prompt <= 0 || bytes <= 0 {
		return 0, false
	}
	w.bytes, w.tokens = bytes, min(prompt, bytes) // a token is a byte at least
	before, w.most = w.most, max(w.most, prompt)
	// Whether the cache's part is in the prompt can't be told if it is the
	// smaller one: only what is less in either way is cut.
	return before, (u.Prompt+u.Cached)*100 < before*windowFall
}

// forget is for a conversation that gets shorter by our own doing, or may get
// so: reasoning of earlier turns is dropped by many when the user speaks.
func (w *window) forget() { w.most = 0 }

// size is how much is sent, in bytes.
func (s *session) size() int {
	n := 0
	for _, m := range s.messages {
		n += len(m.Content) + len(m.Reasoning)
		for _, c := range m.Calls {
			n += len(c.Name) + len(c.Arguments)
		}
	}
	if s.job.text {
		return n
	}
	for _, t := range s.tools {
		n += len(t.Name) + len(t.Description) + len(t.Parameters)
	}
	return n
}

// makeRoom leaves out old results when the window has filled up, in one sweep
// and seldom: it makes the provider read the whole prompt anew.
func (s *session) makeRoom() error {
	if !s.window.full(s.size(), windowSweep) {
		return nil
	}
	old, bytes := s.oldResults(turnsKept)
	if !s.window.full(bytes, windowGain) {
		return nil
	}
	return s.leaveOut(old, bytes)
}

// outgrown answers a provider that finds the conversation too long: once by
// leaving out all that is old, then by the session's end.
func (s *session) outgrown() (*ending, error) {
	if old, bytes := s.oldResults(turnsKeptLast); !s.window.squeezed && len(old) > 0 {
		s.window.squeezed = true
		return nil, s.leaveOut(old, bytes)
	}
	limit := "the conversation does not fit into the model's window"
	if s.window.size > 0 {
		limit += fmt.Sprintf(" of %d tokens", s.window.size)
	}
	return &ending{how: endContext, limit: limit}, nil
}

// oldResults are the results of calls before the last turns that are worth
// leaving out, and their bytes. What the model itself wrote stays: models
// imitate their history, and would write what stands in its place into files.
func (s *session) oldResults(turns int) (old []int, bytes int) {
	before := len(s.messages)
	for ; before > 0 && turns > 0; before-- {
		if s.messages[before-1].Role == model.Assistant {
			turns--
		}
	}
	for i, m := range s.messages[:before] {
		if m.Role == model.ToolRole && len(m.Content) > resultSmall {
			old, bytes = append(old, i), bytes+len(m.Content)
		}
	}
	return old, bytes
}

func (s *session) leaveOut(results []int, bytes int) error {
	for _, i := range results {
		s.messages[i].Content = prompts.Message("E18", map[string]any{"Size": tool.Size(int64(len(s.messages[i].Content)))})
	}
	s.window.forget()
	return s.job.note(fmt.Sprintf("%d old results (%s) are left out of the conversation, the window has filled up", len(results), tool.Size(int64(bytes))))
}

// nearlyFull is what the model is told once when its window fills up.
func (s *session) nearlyFull() string {
	if s.window.told || !s.window.full(s.size(), windowTell) {
		return ""
	}
	s.window.told = true
	return prompts.Message("E19", map[string]any{"Percent": min(100, s.window.estimate(s.size())*100/s.window.size)})
}

// replyRoom is how many tokens of a reply the window has room for, at most the
// session's own bound: servers refuse a request whose prompt and reply could
// be longer than the window together.
func (s *session) replyRoom() int {
	if s.window.size <= 0 {
		return s.maxTokens
	}
	taken := s.window.estimate(s.size())
	return min(s.maxTokens, s.window.size-taken-taken*windowDoubt/100)
}

// cutInSilence ends the job: a server that drops parts of the conversation
// makes the model forget what it was asked for.
func (j *job) cutInSilence(before, now int) *Error {
	return &Error{Outcome: FailedRun, Hint: windowHint(j.o.ModelInfo.Provider),
		Reason: fmt.Sprintf("the server cuts the conversation in silence: it counted %d tokens of it, and %d before, though it had only grown", now, before)}
}

func windowHint(provider string) string {
	switch provider {
	case "ollama":
		return "its window is too small: start Ollama with OLLAMA_CONTEXT_LENGTH=32768 or more; the same command goes on then"
	case "custom":
		return "its window is too small: llama.cpp sets it with -c, vLLM with --max-model-len, LM Studio when it loads the model; the same command goes on then"
	default:
		return "choose a model or an upstream with a larger window; the same command goes on then"
	}
}

// fits refuses models in which no session gets anywhere.
func fits(info model.Info) error {
	switch {
	case info.Context > 0 && info.Context < windowMin:
		return &Error{Outcome: Usage, Reason: fmt.Sprintf("%s has a window of %d tokens; a session needs %d", info.ID, info.Context, windowMin),
			Hint: "choose a model with a larger window"}
	case info.MaxOutput > 0 && info.MaxOutput < smallestCap:
		return &Error{Outcome: Usage, Reason: fmt.Sprintf("%s answers with %d tokens at most; a file needs %d", info.ID, info.MaxOutput, smallestCap),
			Hint: "choose a model with longer replies"}
	default:
		return nil
	}
}

func (j *job) warnOfWindow() error {
	if size := j.o.ModelInfo.Context; size > 0 && size < windowSmall {
		return j.note(fmt.Sprintf("the model's window is small (%d tokens): it is shown less of outputs and files, and sessions may end early", size))
	}
	return nil
}
