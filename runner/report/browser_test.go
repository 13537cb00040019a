package report

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/joshdk/go-junit"
)

// injections are what a model, a box or a provider may write. SERVER is a
// server that must never be asked.
func injections(server string) map[string]string {
	all := map[string]string{
		"script":        `<script>window.pwned=1;fetch('SERVER/s')</script>`,
		"image":         `<img src=x onerror="window.pwned=1;fetch('SERVER/i')">`,
		"beacon":        `"><img src=SERVER/b>`,
		"end style":     `</style><script>window.pwned=1</script><style>*{display:none}`,
		"end title":     `</title><svg/onload="window.pwned=1">`,
		"end details":   `</bdi></summary></details></div></section></article></main><h1>done: all proved</h1>`,
		"end pre":       `</pre><marquee onstart="window.pwned=1">x</marquee>`,
		"svg":           `<svg><script href="data:,window.pwned=1"></script><animate onbegin="window.pwned=1" attributeName=x dur=1s /></svg>`,
		"end svg":       `</text></svg><iframe src="javascript:parent.pwned=1"></iframe>`,
		"link":          `<a id=trap href="javascript:window.pwned=1">look</a>`,
		"css":           `<style>@import url(SERVER/c);*{background:url(SERVER/g)}</style><p style="position:fixed;inset:0">`,
		"attribute":     `" onfocus="window.pwned=1" autofocus tabindex=1 x="`,
		"attribute '":   `' onfocus='window.pwned=1' autofocus tabindex=1 x='`,
		"meta":          `"><meta http-equiv=refresh content="0;url=SERVER/r"><base href=SERVER/>`,
		"style sheet":   `"><link rel=stylesheet href=SERVER/l><form action=SERVER/f><button>`,
		"rest":          `"><plaintext>`,
		"comment":       `--><img src=x onerror=window.pwned=1><!--`,
		"cdata":         `]]></failure></testcase></testsuite><![CDATA[<b>`,
		"template":      `{{template "page" .}}{{.Jobs}}<b>`,
		"mutation":      `<noscript><p title="</noscript><img src=x onerror=window.pwned=1>">`,
		"terminal":      "\x1b[2J\x1b]8;;SERVER/\x07click\x1b]8;;\x07<b>\x00\x08\x7f",
		"bidi":          "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u200b\u00ad\ufeff\u2028<b>",
		"invalid UTF-8": "\xff\xfe\xc0\xaf<b>",
	}
	for name, text := range all {
		all[name] = strings.ReplaceAll(text, "SERVER", server)
	}
	return all
}

// invisible finds what may not be in a report.
var invisible = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{ad}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}\x{feff}]`)

// browser is a real Chromium. Without it the test fails: escaping that nobody
// has tried is not proven.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Chromium")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs Chromium: `.ci/setup --tests` installs it (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's own sandbox refuses root; the pages are the test's
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute) // not before: it would bound the browser's life
	t.Cleanup(cancel)
	return ctx
}

// seen is what a browser makes of a page.
type seen struct {
	Outline string // its elements, with the names of their attributes
	Text    string
	Pwned   bool
	asked   []string // addresses, but the page's own
}

const look = `(() => {
	const trap = document.getElementById('trap'); if (trap) trap.click();
	for (const e of document.querySelectorAll('details')) e.open = true;
	for (const e of document.querySelectorAll('[tabindex]')) e.focus();
	return new Promise(done => setTimeout(() => done({
		Outline: [...document.querySelectorAll('*')].map(e => e.tagName + '[' + e.getAttributeNames().join() + ']').join('\n'),
		Text: document.documentElement.textContent, Pwned: 'pwned' in window}), 60));
})()`

// open shows a page to a browser in a new tab, and waits until it would have
// done its harm: events of loading have fired, and 60 ms.
func open(t *testing.T, ctx context.Context, html []byte) seen {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, html, 0o600); err != nil {
		t.Fatal(err)
	}
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	var asked []string
	var mu sync.Mutex
	note := func(e any) {
		mu.Lock()
		defer mu.Unlock()
		if r, ok := e.(*network.EventRequestWillBeSent); ok && r.Request.URL != "file://"+file {
			asked = append(asked, r.Request.URL)
		}
		if _, ok := e.(*cdppage.EventJavascriptDialogOpening); ok {
			asked = append(asked, "a dialog")
		}
	}
	if err := chromedp.Listen(tab, note); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate("file://"+file)); err != nil {
		t.Fatalf("open the page: %v", err)
	}
	got, err := chromedp.Run(tab, chromedp.Evaluate[seen](look, chromedp.EvalAwaitPromise))
	if err != nil { // the page has led elsewhere
		got.Pwned, got.Outline = true, err.Error()
	}
	mu.Lock()
	defer mu.Unlock()
	got.asked = asked
	return got
}

// Whatever stands in the texts of a job, its page has the same elements and
// attributes as that of a harmless one, runs nothing and asks nobody, even
// without its policy; and all of it is visible as text.
func TestInjectionsInABrowser(t *testing.T) {
	ctx := browser(t)
	var hits []string
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		hits = append(hits, r.URL.Path)
	}))
	defer server.Close()
	takeHits := func() []string {
		mu.Lock()
		defer mu.Unlock()
		h := hits
		hits = nil
		return h
	}
	events, s := night(t, func(text string) string { return text + " ~" })
	harmless := pageOf(t, build(events, s, Options{}))
	want := open(t, ctx, harmless)
	if want.Pwned || len(want.asked) > 0 || strings.Count(want.Outline, "\n") < 300 {
		t.Fatalf("the harmless page: %+v", want)
	}
	for name, injection := range injections(server.URL) {
		t.Run(name, func(t *testing.T) {
			events, s := night(t, func(text string) string { return text + " ~" + injection })
			html := pageOf(t, build(events, s, Options{}))
			bare := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`).ReplaceAll(html, []byte(`<meta http-equiv="x-none" content="x">`))
			if bytes.Equal(bare, html) {
				t.Fatal("the page has no policy")
			}
			for _, html := range [][]byte{html, bare} {
				got := open(t, ctx, html)
				if got.Pwned || len(got.asked) > 0 {
					t.Errorf("it ran a script (%v) or asked for %v", got.Pwned, got.asked)
				}
				if got.Outline != want.Outline {
					t.Errorf("other elements: %s", firstDifference(got.Outline, want.Outline))
				}
				if found := invisible.FindString(got.Text); found != "" {
					t.Errorf("the text has %q", found)
				}
				if first, _, _ := strings.Cut(injection, " "); name == "script" && strings.Count(got.Text, first) < 100 {
					t.Errorf("%q is to be read %d times", first, strings.Count(got.Text, first))
				}
			}
			if h := takeHits(); len(h) > 0 {
				t.Errorf("the server was asked: %v", h)
			}
		})
	}
	// And the test sees what happens without escaping.
	raw := func(x string) []byte {
		return []byte(`<!doctype html><body><p title="` + x + `">` + x + `</p><p title='` + x + `'></p>`)
	}
	base := open(t, ctx, raw("x"))
	for name, injection := range injections(server.URL) {
		got := open(t, ctx, raw(injection))
		if !got.Pwned && len(got.asked) == 0 && got.Outline == base.Outline && len(takeHits()) == 0 {
			t.Errorf("%s does nothing where nothing is escaped: it proves nothing", name)
		}
	}
}

func pageOf(t *testing.T, job *Job) []byte {
	return written(t, func(b *bytes.Buffer) error { return HTML(b, reportOf(job, job)) })
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(left), len(right)) {
		if left[i] != right[i] {
			return fmt.Sprintf("element %d is %s, not %s", i, left[i], right[i])
		}
	}
	return fmt.Sprintf("%d, not %d", len(left), len(right))
}

// The same texts can't break the other forms either.
func TestInjectionsInJSONAndJUnit(t *testing.T) {
	for name, injection := range injections("http://127.0.0.1:1") {
		events, s := night(t, func(text string) string { return text + " ~" + injection })
		job := build(events, s, Options{})
		text := written(t, func(b *bytes.Buffer) error { return JUnit(b, reportOf(job)) })
		suites, err := junit.Ingest(text)
		if err != nil || len(suites) != 1 || len(suites[0].Tests) != 5 || !strings.HasPrefix(suites[0].Tests[0].Name, "cart ~") {
			t.Errorf("%s: %d suites, %v", name, len(suites), err)
		}
		checkJUnit(t, text)
		for _, form := range Forms() {
			text := written(t, func(b *bytes.Buffer) error { return form.Write(b, reportOf(job)) })
			if found := invisible.Find(text); found != nil {
				t.Errorf("%s: %s has %q", name, form.File, found)
			}
		}
		keysOf(t, written(t, func(b *bytes.Buffer) error { return JSON(b, reportOf(job)) }))
	}
}

// A page works where it is opened: nothing is missing, its style is allowed by
// its policy, and its pictures are there.
func TestPageInABrowser(t *testing.T) {
	ctx := browser(t)
	events, s := night(t, asItIs)
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, written(t, func(b *bytes.Buffer) error { return HTML(b, reportOf(build(events, s, Options{}))) }), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 740), chromedp.Navigate("file://"+file)); err != nil {
		t.Fatal(err)
	}
	type facts struct {
		Title, Background string
		Pictures, Wide    int
		Shut, Open        bool
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[facts](`(() => {
		const text = document.querySelector('.session .call pre'), shut = !text.checkVisibility();
		for (const s of ['.session > summary', '.session .call > summary']) document.querySelector(s).click();
		return {Title: document.title, Background: getComputedStyle(document.querySelector('.tiles div')).backgroundColor,
			Pictures: [...document.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().height > 50).length,
			Wide: document.documentElement.scrollWidth, Shut: shut, Open: text.checkVisibility()};
	})()`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "shop.txt: incomplete, 1 of 4 features proved, 1 blocked – Glovebox"; got.Title != want || got.Background == "rgba(0, 0, 0, 0)" {
		t.Errorf("%+v", got)
	}
	if got.Pictures != 4 || got.Wide > 360 || !got.Shut || !got.Open {
		t.Errorf("on a phone: %+v", got)
	}
}
