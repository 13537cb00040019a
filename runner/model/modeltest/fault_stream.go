package modeltest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// onFrames is a fault of what is sent, event by event.
func onFrames(name string, change func([]frame) []frame) Fault {
	return Fault{Name: name, do: func(a *answer) { a.frames = append(a.frames, change) }}
}

// upTo keeps the first n frames, and what belongs before them.
func upTo(n int) func([]frame) []frame {
	return func(f []frame) []frame { return f[:min(n, len(f))] }
}

// before keeps what comes before the first frame of a kind.
func before(kind frameKind) func([]frame) []frame {
	return func(f []frame) []frame {
		if i := slices.IndexFunc(f, func(f frame) bool { return f.kind == kind }); i >= 0 {
			return f[:i]
		}
		return f
	}
}

// CutAfter breaks the connection after n events.
func CutAfter(n int) Fault {
	return Fault{Name: fmt.Sprintf("stream cut after %d events", n), do: func(a *answer) {
		a.frames, a.ending = append(a.frames, upTo(n)), breaks
	}}
}

// EndAfter ends the answer in good order after n events.
func EndAfter(n int) Fault { return onFrames(fmt.Sprintf("stream ends after %d events", n), upTo(n)) }

// CutBeforeFinish breaks the connection when only the reason of the end is missing.
func CutBeforeFinish() Fault {
	return Fault{Name: "cut before finish", do: func(a *answer) {
		a.frames, a.ending = append(a.frames, before(finished)), breaks
	}}
}

// EndBeforeFinish ends the answer in good order there.
func EndBeforeFinish() Fault { return onFrames("ends before finish", before(finished)) }

// EndAfterFinish ends the answer before the usage.
func EndAfterFinish() Fault {
	return openAIOnly("ends before usage", func(a *answer) { a.frames = append(a.frames, before(used)) })
}

// CutInEvent breaks the connection in the middle of the nth event.
func CutInEvent(n int) Fault {
	return Fault{Name: fmt.Sprintf("cut inside event %d", n), do: func(a *answer) {
		a.ending = breaks
		a.frames = append(a.frames, func(f []frame) []frame {
			f = slices.Clone(f[:min(n, len(f))])
			last := &f[len(f)-1]
			last.text = last.text[:len(last.text)/2]
			return f
		})
	}}
}

// NoDone leaves out what marks the end of a stream.
func NoDone() Fault { return Fault{Name: "no [DONE]", do: func(a *answer) { a.bare = true }} }

// HangUp breaks the connection without an answer.
func HangUp() Fault {
	return Fault{Name: "hangs up", do: func(a *answer) {
		a.ending = breaks
		a.frames = append(a.frames, func([]frame) []frame { return nil })
	}}
}

// Mute sends a status and then nothing until the client has gone.
func Mute() Fault { return FallsSilent(0) }

// FallsSilent sends n events and then nothing until the client has gone.
func FallsSilent(n int) Fault {
	return Fault{Name: fmt.Sprintf("idle after %d events", n), do: func(a *answer) {
		a.frames, a.ending = append(a.frames, upTo(n)), goesSilent
	}}
}

// Comments puts comments between the events, n each time.
func Comments(n int) Fault {
	return onFrames("comments between", func(in []frame) (out []frame) {
		for _, f := range in {
			out = append(out, frame{comment, strings.Repeat(": OPENROUTER PROCESSING\n\n", n)}, f)
		}
		return out
	})
}

// CommentsOnly sends n comments and ends.
func CommentsOnly(n int) Fault {
	return onFrames("keep-alive comments only", func([]frame) []frame {
		return []frame{{comment, strings.Repeat(": OPENROUTER PROCESSING\n\n", n)}}
	})
}

// rewritten is a fault of the bytes of each event.
func rewritten(name string, change func(string) string) Fault {
	return onFrames(name, func(in []frame) (out []frame) {
		for _, f := range in {
			out = append(out, frame{f.kind, change(f.text)})
		}
		return out
	})
}

// CRLF ends lines as Windows does.
func CRLF() Fault {
	return rewritten("CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })
}

// NoBlankLines leaves out the lines between events.
func NoBlankLines() Fault {
	return rewritten("no blank lines", func(s string) string { return strings.TrimRight(s, "\n") + "\n" })
}

// instead puts a frame in place of all from the nth on.
func instead(n int, text string) func([]frame) []frame {
	return func(f []frame) []frame {
		return append(slices.Clone(f[:min(n, len(f))]), frame{content, text})
	}
}

// NotJSON sends an event that is none after n good ones.
func NotJSON(n int) Fault { return onFrames("not JSON", instead(n, "data: hello there\n\n")) }

// HugeEvent sends an event of this many bytes after one good one.
func HugeEvent(size int) Fault {
	return onFrames("huge event", func(f []frame) []frame {
		return instead(1, `data: {"x":"`+strings.Repeat("x", size)+"\"}\n\n")(f)
	})
}

// Endless repeats a line for ever: comments with "", else whatever it is.
func Endless(line string) Fault {
	return Fault{Name: "endless stream", do: func(a *answer) {
		a.ending = goesOn
		a.frames = append(a.frames, instead(1, orElse(line, ": "+strings.Repeat("x", 1<<16)+"\n\n")))
	}}
}

// Bomb is a compressed answer that unpacks to this many bytes.
func Bomb(size int) Fault {
	return Fault{Name: "gzip bomb", do: func(a *answer) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte("data: {\"x\":\"")) // a buffer takes it all
		_, _ = z.Write(bytes.Repeat([]byte("x"), size))
		_ = z.Close()
		a.header.Set("Content-Encoding", "gzip")
		a.replaced, a.status, a.body, a.mediaType = true, http.StatusOK, packed.String(), "text/event-stream"
		a.bill200()
	}}
}

// ErrorMidStream sends an error of this status after n events, as each format does it.
func ErrorMidStream(n, status int) Fault {
	return Fault{Name: fmt.Sprintf("error %d mid-stream", status), do: func(a *answer) {
		failure := map[string]any{"type": kindOf(status), "message": "Provider disconnected"}
		if a.server.wire == Anthropic {
			a.frames = append(a.frames, instead(n, "event: error\ndata: "+marshal(a.failure(status, failure))+"\n\n"))
			return
		}
		failure["code"] = status
		chunk := map[string]any{"id": a.id, "object": "chat.completion.chunk", "created": 1789054151, "error": failure,
			"choices": []any{map[string]any{"index": 0, "delta": map[string]any{"content": ""}, "finish_reason": "error"}}}
		a.sign(chunk)
		a.addRouting(chunk)
		a.frames = append(a.frames, instead(n, "data: "+marshal(chunk)+"\n\ndata: [DONE]\n\n"))
	}}
}

func kindOf(status int) string {
	switch status {
	case 429:
		return "rate_limit_error"
	case 529:
		return "overloaded_error"
	default:
		return "api_error"
	}
}

// ErrorWithoutFinish sends an error whose choice goes on, and then usage and
// [DONE] as after a good reply (recorded in 2025).
func ErrorWithoutFinish(n, status int) Fault {
	return openAIOnly("error mid-stream, then usage and [DONE]", func(a *answer) {
		a.chunks = append(a.chunks, func(i int, c map[string]any) {
			if i == n {
				c["error"] = map[string]any{"code": status, "message": "Provider disconnected"}
			}
		})
	})
}

// ErrorInChoice has the error inside of the choice.
func ErrorInChoice(n, status int) Fault {
	return openAIOnly("error inside the choice", func(a *answer) {
		a.chunks = append(a.chunks, func(i int, c map[string]any) {
			if choice := choiceOf(c); i == n && choice != nil {
				choice["error"] = map[string]any{"code": status, "message": "Provider disconnected"}
			}
		})
	})
}

func choiceOf(c map[string]any) map[string]any {
	choices, _ := c["choices"].([]any)
	if len(choices) == 0 {
		return nil
	}
	choice, _ := choices[0].(map[string]any)
	return choice
}

// NoChoices sends an answer without an answer.
func NoChoices() Fault {
	return openAIOnly("no choices", func(a *answer) {
		a.chunks = append(a.chunks, func(_ int, c map[string]any) { c["choices"] = []any{} })
	})
}

// Empty is a reply of nothing: no words, no calls, as if it were complete.
func Empty() Fault {
	return Fault{Name: "empty reply", do: func(a *answer) { a.turn = Turn{Finish: "stop"} }}
}

// OneDocument sends one JSON document although a stream was asked for.
func OneDocument() Fault {
	return Fault{Name: "one document", do: func(a *answer) { a.document = true }}
}

// MediaType sends the reply under another type.
func MediaType(name string) Fault {
	return Fault{Name: "media type " + name, do: func(a *answer) { a.mediaType = name }}
}
