package docker

import (
	"os"
	"testing"
	"time"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/sandbox"
)

// builds are what people build in boxes of our images, offline, chosen for the
// system calls that they make: threads, pipes, sockets, semaphores, tracers.
func builds() map[string]map[string]string {
	return map[string]map[string]string{
		"base": {
			"git": `git init -q r && cd r && git config user.email a@b && git config user.name a && echo x >f && git add . &&
				git commit -qm one && git gc -q && cd .. && git clone -q r c && git -C c log --oneline | grep -q one && git -C c status`,
			"archives": `mkdir d && seq 10000 >d/f && tar cJf d.tar.xz d && rm -r d && tar xf d.tar.xz && zip -qr d.zip d && rg -c 99 d/f &&
				printf 'all: a b\na b:\n\tsleep 0.1; touch $@\n' >Makefile && make -j4 && test -e b`,
			"limits of one's own": `(ulimit -n 100 && nice -n 5 ionice -c3 taskset -c 0 sh -c 'test $(ulimit -n) = 100')`,
		},
		"python": {
			"venv, wheel, pytest": `python -m venv --system-site-packages v && mkdir -p p/pkg && echo 'def f(): return 1' >p/pkg/__init__.py &&
				printf '[project]\nname="pkg"\nversion="1"\n[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n' >p/pyproject.toml &&
				v/bin/python -m pip wheel -q --no-build-isolation --no-deps -w w ./p && v/bin/python -m pip install -q --no-index --no-deps w/*.whl &&
				printf 'import pkg\ndef test_f(tmp_path): assert pkg.f() == 1\n' >test_p.py && v/bin/python -m pytest -q test_p.py`,
			"threads, processes, sockets": `cat >t.py <<-'END'
				import asyncio, concurrent.futures as c, multiprocessing, os, resource, signal, socket, sqlite3, subprocess, threading
				if __name__ == "__main__":
				    assert sum(c.ProcessPoolExecutor(4).map(abs, range(10))) == 45
				    assert sum(c.ThreadPoolExecutor(20).map(abs, range(100))) == 4950
				    q = multiprocessing.Queue(); p = multiprocessing.Process(target=q.put, args=(1,)); p.start(); assert q.get() == 1; p.join()
				    d = sqlite3.connect("x.db"); d.execute("pragma journal_mode=wal"); d.execute("create table t(a)"); d.commit()
				    assert socket.getaddrinfo("localhost", 80) and socket.if_nameindex()
				    async def main():
				        s = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
				        r, w = await asyncio.open_connection(*s.sockets[0].getsockname()); assert await r.read() == b""
				        p = await asyncio.create_subprocess_exec("true"); assert await p.wait() == 0
				    asyncio.run(main())
				    a, b = socket.socketpair(); b.send(b"x"); assert a.recv(1) == b"x"
				    subprocess.run(["sh", "-c", "exit 0"], check=True, preexec_fn=os.setsid)
				    resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.nice(1)
				    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.sigwait([signal.SIGALRM])
				END
				sed -i 's/^\t*//' t.py && python t.py`,
		},
		"node": {
			"npm, tests": `mkdir dep app && echo '{"name":"dep","version":"1.0.0"}' >dep/package.json && echo 'module.exports=1' >dep/index.js && cd app &&
				echo '{"name":"app","version":"1.0.0","scripts":{"test":"node --test"}}' >package.json && npm install --offline --no-audit --no-fund ../dep &&
				cat >a.test.js <<-'END' && npm test
				const test = require('node:test'), assert = require('node:assert'), http = require('node:http'), cp = require('node:child_process');
				const {Worker} = require('node:worker_threads'), fs = require('node:fs/promises');
				test('dep', () => assert.equal(require('dep'), 1));
				test('http', async () => { const s = http.createServer((q, r) => r.end('hi')); await new Promise(r => s.listen(0, r));
					const t = await (await fetch('http://localhost:' + s.address().port)).text(); s.close(); assert.equal(t, 'hi'); });
				test('worker', () => new Promise(r => new Worker('0', {eval: true}).on('exit', r)));
				test('files', async () => { await fs.writeFile('x', 'y'); assert.equal(await fs.readFile('x', 'utf8'), 'y'); await fs.cp('x', 'z'); });
				test('child', () => assert.equal(cp.execSync('echo a').toString(), 'a\n'));
				END`,
		},
		"go": {
			"module": `export GOFLAGS=-mod=mod GOCACHE=$PWD/cache CGO_ENABLED=1 && echo 'module m' >go.mod &&
				printf 'package main\nimport ("fmt";"net")\nfunc main() { l, e := net.Listen("tcp", "localhost:0"); fmt.Println(l.Addr() != nil, e) }\n' >main.go &&
				printf 'package main\nimport "testing"\nfunc TestX(t *testing.T) { c := make(chan int); go func() { c <- 1 }(); <-c; main() }\n' >x_test.go &&
				go vet && go build && ./m && go test -race`,
			"C with threads and sanitizers": `printf '#include <pthread.h>\n#include <stdlib.h>\nvoid *f(void *a) { return a; }\nint main() { pthread_t t[50];
				for (int i = 0; i < 50; i++) pthread_create(t+i, 0, f, 0); for (int i = 0; i < 50; i++) pthread_join(t[i], 0); free(malloc(9)); return 0; }\n' >a.c &&
				printf 'a b: a.c\n\tcc -g -o a a.c -pthread && cc -g -fsanitize=address,undefined -o b a.c -pthread\n' >Makefile && make && ./a && ./b`,
		},
	}
}

// The walls fit: what the images are for can be built in boxes. In make test
// this is the default image, with GLOVEBOX_PROOF=full it is all of them.
func TestBuildsOfImages(t *testing.T) {
	e := testEngine(t)
	for name, scripts := range builds() {
		if name != images.Default && os.Getenv("GLOVEBOX_PROOF") != "full" {
			continue
		}
		recipe, ok := images.Info(name)
		if !ok {
			t.Fatalf("no image %s", name)
		}
		img, err := e.Find(t.Context(), recipe.Tag)
		if err != nil {
			t.Fatalf("%v: bin/glovebox image build %s", err, name)
		}
		for what, script := range scripts {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				b := openBox(t, e, specWith(t, img.ID))
				r, err := b.Run(t.Context(), sandbox.Command{
					Args: []string{"/bin/bash", "-ec", script}, Env: []string{"PATH=" + defaultPath, "HOME=" + sandbox.Home},
					Timeout: 10 * time.Minute, Head: 1 << 10, Tail: 4 << 10,
				})
				if err != nil {
					t.Fatal(err)
				}
				if !r.Success() {
					t.Errorf("exit code %d %s: %s", r.ExitCode, r.Signal, r.Output())
				}
			})
		}
	}
}
