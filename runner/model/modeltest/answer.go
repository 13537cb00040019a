package modeltest

import (
	"encoding/json"
	"net/http"

	"github.com/shopspring/decimal"
)

// answer is what is about to be sent. Faults change it before that.
type answer struct {
	server *Server
	asked  Request
	id     string

	turn    Turn
	names   string // the model that the reply names; "" is none
	routing routing
	tier    string // of service, as OpenAI names the one that it bills

	price    Price           // of the model that answers
	usage    Usage           // as counted, and billed
	billed   *money          // what it costs in USD; nil is the usage at the price
	reported json.RawMessage // the cost as it is told; nil is the truth
	told     []func(usage map[string]any)
	silent   bool // no usage is told

	replaced bool // status, header and body go out in place of the reply
	status   int
	header   http.Header
	body     string

	document  bool                            // one JSON document, not a stream
	whole     bool                            // each call in one piece
	bare      bool                            // without [DONE]
	mediaType string                          // the media type; "" is the right one
	chunks    []func(n int, c map[string]any) // of each chunk, or the document (0)
	calls     []func(n int, c map[string]any) // of each piece of a call; n counts calls
	frames    []func([]frame) []frame
	ending    ending
}

// money is an amount in USD.
type money = decimal.Decimal

// routing is OpenRouter's account of how a reply came about.
type routing struct {
	none      bool
	strategy  string
	requested string
	provider  string
	endpoint  string   // the model that the selected endpoint serves
	attempts  []string // the model of each attempt
}

// ending is what becomes of the connection after the last frame.
type ending int

const (
	endsWell   ending = iota
	breaks            // the connection is cut
	goesSilent        // nothing comes any more until the client has gone
	goesOn            // the last frame is sent again and again
)

// refuse replaces the reply by an error status.
func (a *answer) refuse(status int, kind, message string) {
	a.refuseWith(status, map[string]any{"type": kind, "message": message})
}

// refuseWith is refuse with an error object of one's own; OpenAI's family also
// has the status in it.
func (a *answer) refuseWith(status int, failure map[string]any) {
	a.replaced, a.status = true, status
	a.body = marshal(a.failure(status, failure))
}

// failure is the body of an error.
func (a *answer) failure(status int, failure map[string]any) map[string]any {
	switch a.server.wire {
	case Anthropic:
		return map[string]any{"type": "error", "error": failure, "request_id": "req_" + a.id}
	case OpenRouter:
		failure["code"] = status
		body := map[string]any{"error": failure, "user_id": "user_1"}
		a.addRouting(body)
		return body
	default:
		if _, ok := failure["code"]; !ok {
			failure["code"] = nil
		}
		return map[string]any{"error": failure}
	}
}

// sentStatus is the status that the client will see; 0 is none.
func (a *answer) sentStatus() int {
	switch {
	case a.replaced:
		return a.status
	case a.ending == breaks && len(a.render()) == 0:
		return 0
	default:
		return http.StatusOK
	}
}

// bill is what the server takes for it.
func (a *answer) bill() decimal.Decimal {
	switch {
	case a.billed != nil:
		return *a.billed
	case a.replaced:
		return decimal.Zero
	default:
		return a.price.of(a.usage)
	}
}

// cost is what it says it takes.
func (a *answer) cost() json.RawMessage {
	if a.reported != nil {
		return a.reported
	}
	return number(a.bill())
}

// frame is one event of a stream, or a document, as it is sent.
type frame struct {
	kind frameKind
	text string
}

// frameKind is what a frame holds, so that faults can find their place.
type frameKind int

const (
	content  frameKind = iota // words, calls, and the opening of either
	finished                  // why the reply ended
	used                      // how much it used
	last                      // [DONE], or message_stop
	comment
)

// render is the reply as it goes out, before the connection's end.
func (a *answer) render() (frames []frame) {
	switch {
	case a.server.wire == Anthropic && a.document:
		frames = []frame{{content, marshal(a.message())}}
	case a.server.wire == Anthropic:
		frames = a.events()
	case a.document:
		frames = []frame{{content, marshal(a.completion())}}
	default:
		frames = a.stream()
	}
	for _, change := range a.frames {
		frames = change(frames)
	}
	return frames
}

// send sends it.
func (a *answer) send(w http.ResponseWriter, r *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.replaced {
		w.Header().Set("Content-Type", orElse(a.mediaType, "application/json"))
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body)) // a client that has gone needs no answer
		return
	}
	frames := a.render()
	if len(frames) == 0 && a.ending == breaks {
		panic(http.ErrAbortHandler) // without a status
	}
	if a.document {
		w.Header().Set("Content-Type", orElse(a.mediaType, "application/json"))
	} else {
		w.Header().Set("Content-Type", orElse(a.mediaType, "text/event-stream"))
	}
	if a.server.wire == OpenRouter {
		w.Header().Set("X-Generation-Id", a.id)
	}
	w.WriteHeader(http.StatusOK)
	flush(w)
	for _, f := range frames {
		if _, err := w.Write([]byte(f.text)); err != nil {
			return
		}
		flush(w)
	}
	a.end(w, r, frames)
}

func (a *answer) end(w http.ResponseWriter, r *http.Request, frames []frame) {
	switch a.ending {
	case breaks:
		panic(http.ErrAbortHandler)
	case goesSilent:
		<-r.Context().Done()
	case goesOn:
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(frames[len(frames)-1].text)); err != nil {
				return
			}
		}
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// halves cuts s in two.
func halves(s string) []string {
	if len(s) < 2 {
		return []string{s}
	}
	n := len(s) / 2
	for n < len(s) && s[n]&0xc0 == 0x80 {
		n++ // on a whole character
	}
	return []string{s[:n], s[n:]}
}
