package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const servedKey = "sk-canary-0123456789"

// served is a made-up batch with a live page: its address, the ledger of its
// one job, and what ends it.
func served(t *testing.T) (address, ledger string, end func()) {
	t.Helper()
	out := t.TempDir()
	state := filepath.Join(out, "a/.glovebox")
	ledger = filepath.Join(state, "ledger.jsonl")
	for file, text := range map[string]string{
		filepath.Join(out, ".glovebox-batch/batch.json"): `{"v":1,"items":[{"name":"a","spec":"a.txt","spec_hash":"h","model":"m"},{"name":"b","spec":"b.txt","spec_hash":"h","model":"m"}]}`,
		filepath.Join(state, "job.json"):                 `{"v":1,"id":"abc","spec":"a.txt","spec_hash":"h","features":3,"created":"2026-03-01T22:00:00Z"}`,
		ledger: `{"v":1,"seq":1,"time":"2026-03-01T22:00:00Z","kind":"job-start","job":{"id":"abc","spec":"a.txt","spec_hash":"h","model":"m","image":"i","image_id":"sha256:1","scope":"call","budget":"5","version":"v1","features":3}}` + "\n" +
			`{"v":1,"seq":2,"time":"2026-03-01T22:00:01Z","kind":"note","text":"the key is ` + servedKey + `"}` + "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var screen bytes.Buffer
	a := newApp(strings.NewReader(""), &screen, &screen, []string{"OPENROUTER_API_KEY=" + servedKey})
	end, err := a.serveBatch(out, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.stderr.Flush(); err != nil {
		t.Fatal(err)
	}
	address = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(screen.String())
	return address, ledger, end
}

// spend appends a reply to a ledger.
func spend(t *testing.T, ledger string) {
	t.Helper()
	f, err := os.OpenFile(ledger, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"v":1,"seq":3,"time":"2026-03-01T22:00:02Z","kind":"request","session":1,"turn":1,"money":{"reserved":"0.7654321","spent":"0"}}` + "\n"); err != nil {
		t.Fatal(err)
	}
}

// Only this machine's own name leads to the page, it can only be read, it has
// no key, and it ends.
func TestLivePageIsReadOnlyAndLocal(t *testing.T) {
	t.Parallel()
	address, _, end := served(t)
	ask := func(method, path, host string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(r) // events would go on
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	_, port, _ := strings.Cut(address, ":")
	for _, c := range []struct {
		method, path, host string
		code               int
	}{
		{"GET", "/", address, 200}, {"GET", "/", "localhost:" + port, 200}, {"GET", "/main", address, 200}, {"GET", "/a/.glovebox/ledger.jsonl", address, 404},
		{"GET", "/", "evil.example:" + port, 403}, {"GET", "/events", "evil.example:" + port, 403}, {"GET", "/", "127.0.0.1", 403}, {"GET", "/", "10.0.0.1:" + port, 403},
		{"POST", "/", address, 405}, {"PUT", "/main", address, 405}, {"DELETE", "/", address, 405},
	} {
		code, text := ask(c.method, c.path, c.host)
		if code != c.code {
			t.Errorf("%s %s as %s: %d, not %d", c.method, c.path, c.host, code, c.code)
		}
		if strings.Contains(text, servedKey) {
			t.Errorf("%s has the key", c.path)
		}
	}
	if _, page := ask("GET", "/", address); strings.Count(page, "<script") != 1 || !strings.Contains(page, "script-src &#39;sha256-") || !strings.Contains(page, "The key is [") && !strings.Contains(page, "the key is [") {
		t.Errorf("%.600s", page)
	}
	end()
	if _, err := http.Get("http://" + address + "/"); err == nil {
		t.Error("it is served after the end")
	}
	for _, wrong := range []string{"8080", "0.0.0.0:8080", ":8080", "192.168.1.1:80", "example.org:80", "[::]:80"} {
		if _, err := parseServe(wrong); err == nil {
			t.Errorf("--serve %s is accepted", wrong)
		}
	}
}

// In a real browser the page follows the ledger by itself, what was unfolded
// stays so, its policy lets its one script run, and it says when it has ended.
func TestLivePageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs Chromium: `.ci/setup --tests` installs it (Debian: apt-get install chromium)")
	}
	address, ledger, end := served(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's own sandbox refuses root; the page is the test's
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1000, 900), chromedp.Navigate("http://"+address+"/")); err != nil {
		t.Fatal(err)
	}
	// until waits for a text on the page, with what stands open in it.
	until := func(text string) (open bool) {
		t.Helper()
		open, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done, fail) => {
			const look = () => { if (document.querySelector('main').textContent.includes('`+text+`')) done(document.querySelector('details.folded').open); else setTimeout(look, 50) };
			setTimeout(() => fail(new Error('no such text')), 30000); look();
		})`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("waiting for %q: %v", text, err)
		}
		return open
	}
	if until("0 of 2 jobs done") {
		t.Error("jobs are unfolded at first")
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => { document.querySelector('details.folded > summary').click(); return true })()`)); err != nil {
		t.Fatal(err)
	}
	spend(t, ledger)
	if !until("0.7654321") {
		t.Error("what was unfolded is shut again")
	}
	if file := os.Getenv("GLOVEBOX_TEST_SCREENSHOT"); file != "" {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	end()
	until("The batch has ended")
}
