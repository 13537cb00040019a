package record_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/glovebox-run/glovebox/runner/model"
	"github.com/glovebox-run/glovebox/runner/model/openai"
	"github.com/glovebox-run/glovebox/runner/model/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "sk-or-v1-0123456789abcdef"

func redact(s string) string { return strings.ReplaceAll(s, key, record.Withheld) }

// provider answers request n with answers[n].
func provider(t *testing.T, answers ...http.HandlerFunc) string {
	t.Helper()
	var n atomic.Int64 // of requests, which may be on connections of their own
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet {
			io.WriteString(w, `{"data":[]}`)
			return
		}
		answers[n.Add(1)-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

func stream(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Set-Cookie", "session=secret-session")
		for _, p := range parts {
			fmt.Fprintf(w, "data: {\"id\":\"gen-1\",\"model\":\"a/b\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", p)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func whole(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream(parts...)(w, r)
		io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"+
			"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"cost\":0.01}}\n\ndata: [DONE]\n\n")
	}
}

func refused(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "17")
	w.WriteHeader(http.StatusTooManyRequests)
	io.WriteString(w, `{"error":{"code":429,"message":"slow down, `+key+`"}}`)
}

func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

// said is a request of n messages.
func said(n int) model.Request {
	r := model.Request{MaxTokens: 100}
	for range n {
		r.Messages = append(r.Messages, model.Message{Role: model.User, Content: "my key is " + key})
	}
	return r
}

// outcome is what a caller sees of an answer.
type outcome struct {
	text   string
	cost   string
	status int
	fault  model.Fault
	after  float64
}

func ask(base string, wrap func(http.RoundTripper) http.RoundTripper, requests ...model.Request) []outcome {
	c := openai.New(openai.Config{BaseURL: base, Key: key, Model: "a/b", Wrap: wrap, Header: http.Header{}})
	defer c.Close()
	_, _ = c.Get(context.Background(), "/models", 1000)
	var all []outcome
	for _, r := range requests {
		reply, err := c.Reply(context.Background(), r)
		o := outcome{text: reply.Content, cost: reply.Usage.Cost.Decimal.String()}
		var e *model.Error
		if errors.As(err, &e) {
			o.status, o.fault, o.after = e.Status, e.Fault, e.RetryAfter.Seconds()
		}
		all = append(all, o)
	}
	return all
}

// save writes a recording to a file.
func save(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "r.jsonl")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What was recorded is answered again: texts, costs, statuses, cut streams and
// broken connections, in their order. No key is in the file.
func TestRecordAndReplay(t *testing.T) {
	var file bytes.Buffer
	r := record.New(&file, record.Options{Redact: redact, Stopped: func(err error) { t.Error(err) }})
	r.Model(model.Info{Provider: "openrouter", ID: "a/b", Accept: []string{"a/b", "a/b-2026"}})
	requests := []model.Request{said(1), said(1), said(3), said(5), said(7)}
	first := ask(provider(t, refused, whole("Hel", "lo"), stream("half"), hangUp, whole(key)), r.Wrap, requests...)
	if first[1].text != "Hello" || first[0].after != 17 || first[4].text != key {
		t.Fatalf("recorded %+v", first)
	}
	for _, secret := range []string{key, "secret-session"} {
		if strings.Contains(file.String(), secret) {
			t.Errorf("%s is in the recording:\n%s", secret, file.String())
		}
	}
	replay, err := record.Load(save(t, file.Bytes()))
	if err != nil || !reflect.DeepEqual(replay.Info.Accept, []string{"a/b", "a/b-2026"}) {
		t.Fatalf("%+v, %v", replay, err)
	}
	base, stop, err := replay.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	again := ask(base, nil, append(requests, said(9))...)
	first[4].text = record.Withheld // where a key stood
	if !reflect.DeepEqual(again[:5], first) {
		t.Errorf("replayed %+v\nrecorded %+v", again[:5], first)
	}
	if last := again[5]; last.status != 400 || last.fault != model.FaultRequest {
		t.Errorf("after the end: %+v", last)
	}
}

// A job that goes another way than the recorded one is told so.
func TestReplayOfAnotherConversation(t *testing.T) {
	var file bytes.Buffer
	r := record.New(&file, record.Options{Redact: redact})
	r.Model(model.Info{ID: "a/b"})
	ask(provider(t, whole("Hello")), r.Wrap, said(3))
	replay, err := record.Load(save(t, file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	base, stop, err := replay.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := openai.New(openai.Config{BaseURL: base, Model: "a/b"})
	defer c.Close()
	if _, err := c.Reply(context.Background(), said(5)); err == nil || !strings.Contains(err.Error(), "request 1 has 5 messages, and the recorded one had 3") {
		t.Errorf("got %v", err)
	}
	if reply, err := c.Reply(context.Background(), said(3)); err != nil || reply.Content != "Hello" {
		t.Errorf("the right request afterwards: %+v, %v", reply, err)
	}
}

// A key that is sent in pieces stands in no line as a whole: the answer is left
// out, and asking for it says so.
func TestKeyInPieces(t *testing.T) {
	var file bytes.Buffer
	r := record.New(&file, record.Options{Redact: redact})
	r.Model(model.Info{ID: "a/b"})
	ask(provider(t, whole("it is "+key[:9], key[9:], ".")), r.Wrap, said(1))
	for _, piece := range []string{key[:9], key[9:]} {
		if strings.Contains(file.String(), piece) {
			t.Errorf("%q is in the recording", piece)
		}
	}
	replay, err := record.Load(save(t, file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	base, stop, err := replay.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got := ask(base, nil, said(1)); got[0].status != 400 || got[0].text != "" {
		t.Errorf("replayed %+v", got)
	}
}

// A body that is no text is left out, and its length noted: no redaction finds
// a key between bytes that belong to no character.
func TestKeyInNoText(t *testing.T) {
	body := "\xff\xfe" + key[:9] + "\xff" + key[9:]
	var file bytes.Buffer
	r := record.New(&file, record.Options{Redact: redact})
	r.Model(model.Info{ID: "a/b"})
	ask(provider(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }), r.Wrap, said(1))
	if strings.Contains(file.String(), base64.StdEncoding.EncodeToString([]byte(body))) || strings.Contains(file.String(), key[9:]) {
		t.Errorf("the body is in the recording:\n%s", file.String())
	}
	if want := fmt.Sprintf(`"body":%q,"length":%d`, record.Withheld, len(body)); !strings.Contains(file.String(), want) {
		t.Errorf("no %s in the recording:\n%s", want, file.String())
	}
	replay, err := record.Load(save(t, file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	base, stop, err := replay.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got := ask(base, nil, said(1)); got[0].status != 400 || got[0].text != "" {
		t.Errorf("replayed %+v", got)
	}
}

// A recording that is full, or can't be written, says so once and fails no request.
func TestRecordingEnds(t *testing.T) {
	for name, w := range map[string]io.Writer{"full": &bytes.Buffer{}, "broken": broken{}} {
		var said1 []error
		r := record.New(w, record.Options{Redact: redact, Max: 3 << 10, Stopped: func(err error) { said1 = append(said1, err) }})
		long := strings.Repeat("x", 2<<10)
		got := ask(provider(t, whole(long), whole(long), whole(long)), r.Wrap, said(1), said(1), said(1))
		for _, o := range got {
			if o.text != long {
				t.Errorf("%s: %.100v", name, o)
			}
		}
		if len(said1) != 1 {
			t.Errorf("%s: told %v", name, said1)
		}
		if b, ok := w.(*bytes.Buffer); ok && (b.Len() > 3<<10 || !strings.Contains(b.String(), `"kind":"end"`)) {
			t.Errorf("%d bytes: %.300s", b.Len(), b.String())
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What is no recording is refused; one that a killed process left is not.
func TestLoad(t *testing.T) {
	line := `{"v":1,"kind":"model","info":{"ID":"a/b"}}` + "\n" + `{"v":1,"kind":"request","exchange":1,"method":"POST","body":"{\"messages\":[]}"}` + "\n"
	for text, words := range map[string]string{
		"":        "which model",
		"hello":   "line 1",
		`{"v":7}`: "format 7",
		`{"v":1,"kind":"model","info":{"ID":"a/b"}}`: "nothing was asked",
		line + `{"v":1,"kind":"respon`:               "",
	} {
		_, err := record.Load(save(t, []byte(text)))
		if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := record.Load("none.jsonl"); err == nil {
		t.Error("a file that is not there")
	}
}

// Any letter can be escaped in JSON: a key in an error's body that is so is
// withheld with it.
func TestKeyInDisguise(t *testing.T) {
	const secret = "abcd/efgh/ijkl-0123456789"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"message":"bad key %s"}}`, strings.ReplaceAll(secret, "/", `\/`))
	}))
	defer s.Close()
	var out bytes.Buffer
	r := record.New(&out, record.Options{Redact: func(x string) string { return strings.ReplaceAll(x, secret, record.Withheld) }})
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: r.Wrap(transport)}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if strings.Contains(out.String(), "efgh") || !strings.Contains(out.String(), `"status":401`) {
		t.Errorf("recorded\n%s", out.String())
	}
}
