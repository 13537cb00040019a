package model

import (
	"context"
	"testing"
)

// All tokens used up is a cut reply, also where the server says that its calls
// are complete, and where the budget has lowered what it was allowed.
func TestCut(t *testing.T) {
	for name, c := range map[string]struct {
		usage  Usage
		finish Finish
		want   Finish
	}{
		"all of them":    {Usage{Known: true, Completion: 100}, FinishCalls, FinishLength},
		"more than that": {Usage{Known: true, Completion: 101}, FinishStop, FinishLength},
		"less":           {Usage{Known: true, Completion: 99}, FinishCalls, FinishCalls},
		"as told":        {Usage{Known: true, Completion: 3}, FinishLength, FinishLength},
	} {
		m := Cut(&answers{t: t, list: []answer{{reply: Reply{Finish: c.finish, Usage: c.usage, Calls: []Call{{Arguments: `{"a":"b`}}}}}})
		if got, err := m.Reply(context.Background(), Request{MaxTokens: 100}); err != nil || got.Finish != c.want {
			t.Errorf("%s: %q, %v", name, got.Finish, err)
		}
	}
}

// Where no tokens are told, a last call that stops in the middle is the sign.
func TestCutWithoutUsage(t *testing.T) {
	for arguments, want := range map[string]Finish{
		`{"a":"b`: FinishLength, `{"a":`: FinishLength, `{`: FinishLength,
		`{"a":"b"}`: FinishCalls, `{}`: FinishCalls, "": FinishCalls, `{"a" "b"`: FinishCalls, "hello": FinishCalls,
	} {
		calls := []Call{{Arguments: `{"whole":true}`}, {Arguments: arguments}}
		for _, usage := range []Usage{{}, {Known: true, Prompt: 9}} { // nobody calls anything in no tokens
			m := Cut(&answers{t: t, list: []answer{{reply: Reply{Finish: FinishCalls, Calls: calls, Usage: usage}}}})
			if got, err := m.Reply(context.Background(), Request{MaxTokens: 100}); err != nil || got.Finish != want {
				t.Errorf("%s: %q, %v", arguments, got.Finish, err)
			}
		}
	}
}
