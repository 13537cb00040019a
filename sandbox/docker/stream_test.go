package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/glovebox-run/glovebox/images"
)

// An engine says 200 and then that it failed: the stream must be read to its end.
func TestFollow(t *testing.T) {
	tests := map[string]struct {
		in, shown, err string
	}{
		"build":        {`{"stream":"Step 1/2 : FROM x\n"}` + "\r\n" + `{"stream":"a"}` + "\n" + `{"stream":"b\nc"}`, "Step 1/2 : FROM x\nab\nc\n", ""},
		"pull":         {`{"status":"Downloading","id":"ab","progress":"[=> ]"}` + "\n" + `{"status":"Pull complete","id":"ab"}`, "ab: Pull complete\n", ""},
		"failure":      {`{"stream":"make\n"}` + "\n" + `{"errorDetail":{"code":2,"message":"returned 2"},"error":"returned 2"}`, "make\n", "returned 2; the last lines of its output:\nmake"},
		"bare failure": {`{"errorDetail":{"message":"no such base"},"error":"x"}`, "", "no such base"},
		"nonsense":     {`<html>`, "", "read the engine's progress"},
		"too long":     {`{"stream":"` + strings.Repeat("x", maxMessage) + `"}`, "", "more than"},
		"control":      {`{"stream":"\u001b]0;title\u0007x\n"}`, "\uFFFD]0;title\uFFFDx\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var shown strings.Builder
			_, err := follow(strings.NewReader(tt.in), &shown)
			if shown.String() != tt.shown {
				t.Errorf("shown %q, want %q", shown.String(), tt.shown)
			}
			if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) && tt.err != "" {
				t.Errorf("error %q, want %q", got, tt.err)
			}
		})
	}
}

// A build may print without end: the error shows its last lines only.
func TestFollowKeepsTheLastLines(t *testing.T) {
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "{\"stream\":\"line %d %s\\n\"}\n", i, strings.Repeat("x", 1000))
	}
	in.WriteString(`{"error":"stopped"}`)
	var shown strings.Builder
	_, err := follow(strings.NewReader(in.String()), &shown)
	if err == nil || !strings.Contains(err.Error(), "line 999 ") || strings.Contains(err.Error(), "line 979 ") {
		t.Errorf("got %.300v", err)
	}
	if n := len(err.Error()); n > 2*lastLines*lineBytes {
		t.Errorf("the error has %d bytes", n)
	}
}

// Whether an image is missing or no registry answers decides what is tried next.
func TestClassify(t *testing.T) {
	live := context.Background()
	dead, cancel := context.WithCancel(live)
	cancel()
	tests := []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{live, cerrdefs.ErrNotFound.WithMessage("manifest unknown"), images.ErrNotFound},
		{live, cerrdefs.ErrInternal.WithMessage("dial tcp: connection refused"), images.ErrNoRegistry},
		{live, cerrdefs.ErrUnavailable, images.ErrNoRegistry},
		{live, cerrdefs.ErrInvalidArgument, cerrdefs.ErrInvalidArgument},
		{live, cerrdefs.ErrUnauthenticated, cerrdefs.ErrUnauthenticated},
		{dead, cerrdefs.ErrInternal, context.Canceled},
	}
	for _, tt := range tests {
		got := classify(tt.ctx, tt.err)
		if !errors.Is(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.err, got, tt.want)
		}
		if tt.want != images.ErrNoRegistry && errors.Is(got, images.ErrNoRegistry) {
			t.Errorf("%v counts as no registry", tt.err)
		}
	}
}
