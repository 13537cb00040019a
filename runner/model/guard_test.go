package model

import (
	"context"
	"strings"
	"testing"
)

// A reply of another model must not reach the loop in any form: I8.
func TestGuard(t *testing.T) {
	info := Info{Provider: "openrouter", ID: "a/b:free", Accept: []string{"a/b:free", "a/b-20260907:free"}}
	for _, c := range []struct {
		served string
		ok     bool
	}{
		{"a/b:free", true},
		{"a/b-20260907:free", true},
		{"a/b", false}, // the paid one
		{"a/b-20260907", false},
		{"A/B:free", false},
		{" a/b:free", false},
		{"x-ai/grok-4", false},
		{"", false},
	} {
		reply := Reply{Model: c.served, Content: "secret plan", Calls: []Call{{Name: "bash"}}, Usage: Usage{Known: true, Prompt: 7}}
		got, err := Guard(&answers{t: t, list: []answer{{reply: reply}}}, info).Reply(context.Background(), Request{})
		if c.ok {
			if err != nil || len(got.Calls) != 1 {
				t.Errorf("%q was refused: %v", c.served, err)
			}
			continue
		}
		if faultOf(err) != FaultWrongModel || len(got.Calls) != 0 || got.Content != "" {
			t.Errorf("%q: %v, %+v", c.served, err, got)
			continue
		}
		if e := err.(*Error); e.Usage.Prompt != 7 {
			t.Errorf("%q: the refused reply's usage is lost", c.served)
		}
		if !strings.Contains(err.Error(), "a/b:free") || c.served != "" && !strings.Contains(err.Error(), c.served) {
			t.Errorf("the message names not both: %v", err)
		}
	}
}

// A guard that has nothing to compare with says no.
func TestGuardFailsClosed(t *testing.T) {
	_, err := Guard(&answers{t: t, list: []answer{{reply: Reply{}}}}, Info{}).Reply(context.Background(), Request{})
	if faultOf(err) != FaultWrongModel {
		t.Errorf("got %v", err)
	}
}

// A name is a server's text: it may be long and may want to move the cursor.
func TestGuardQuotesNames(t *testing.T) {
	reply := Reply{Model: "\x1b[2J" + strings.Repeat("x", 5000)}
	_, err := Guard(&answers{t: t, list: []answer{{reply: reply}}}, Info{ID: "m"}).Reply(context.Background(), Request{})
	if s := err.Error(); len(s) > 300 || strings.Contains(s, "\x1b") {
		t.Errorf("%d bytes: %.300q", len(s), s)
	}
}
