package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// fakeEngine answers as a Docker engine does, for what no test should do to a
// real one that others use, and for engines that lack something:
//
//	fakeengine [leftovers] [images] [no-seccomp] [no-memory] [podman] [rootless] [cgroup1]
//
// It sets DOCKER_HOST and writes what it was asked to remove to the file removed.
func fakeEngine(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: fakeengine [leftovers] [no-seccomp] [no-memory] [podman] [rootless] [cgroup1]")
	}
	dir, err := os.MkdirTemp("", "engine") // the path of a socket must be short
	ts.Check(err)
	listener, err := net.Listen("unix", dir+"/s")
	ts.Check(err)
	server := httptest.NewUnstartedServer(&engineAnswers{traits: args, removed: ts.MkAbs("removed")})
	server.Listener = listener
	server.Start()
	ts.Defer(func() {
		server.Close()
		_ = os.RemoveAll(dir)
	})
	ts.Setenv("DOCKER_HOST", "unix://"+dir+"/s")
}

type engineAnswers struct {
	traits  []string
	removed string // file
	mu      sync.Mutex
}

func (e *engineAnswers) has(trait string) bool {
	return strings.Contains(" "+strings.Join(e.traits, " ")+" ", " "+trait+" ")
}

func (e *engineAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	switch {
	case r.Method == http.MethodDelete:
		e.note(path)
		if strings.HasPrefix(path, "images/") {
			fmt.Fprint(w, "[]")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(path, "_ping") || path == "":
		fmt.Fprint(w, "OK")
	case path == "version" && e.has("podman"):
		fmt.Fprint(w, `{"Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}`)
	case path == "version":
		fmt.Fprint(w, `{"Components":[{"Name":"Engine","Version":"20.10.24"}]}`)
	case path == "info":
		fmt.Fprint(w, e.info())
	case path == "containers/json" && e.has("leftovers"):
		fmt.Fprintf(w, `[{"Id":%q,"Names":["/old-box"],"State":"created","Labels":{"glovebox":"box"}},
			{"Id":%q,"Names":["/theirs"],"State":"running","Labels":{"other":"x"}}]`, strings.Repeat("a", 64), strings.Repeat("b", 64))
	case path == "images/json" && e.has("images"):
		fmt.Fprintf(w, `[{"Id":"sha256:%[1]s","RepoTags":["glovebox/old:1"],"Created":1000000000,"Labels":{"glovebox":"image","glovebox.tag":"glovebox/old:1"}},
			{"Id":"sha256:%[2]s","RepoTags":["glovebox/new:1"],"Created":%[3]d,"Labels":{"glovebox":"image","glovebox.tag":"glovebox/new:1"}},
			{"Id":"sha256:%[2]s","RepoTags":["theirs:1"],"Created":1000000000,"Labels":{"glovebox":"image","glovebox.tag":"glovebox/new:1"}}]`,
			strings.Repeat("c", 64), strings.Repeat("d", 64), time.Now().Add(-36*time.Hour).Unix())
	case path == "volumes" && e.has("leftovers"):
		fmt.Fprint(w, `{"Volumes":[{"Name":"glovebox-agent-old","Labels":{"glovebox":"agent"}},{"Name":"theirs","Labels":null}],"Warnings":[]}`)
	case path == "volumes":
		fmt.Fprint(w, `{"Volumes":[],"Warnings":[]}`)
	case strings.HasSuffix(path, "/json") && strings.Count(path, "/") == 1:
		fmt.Fprint(w, "[]")
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"no such thing"}`)
	}
}

func (e *engineAnswers) info() string {
	options := `"name=seccomp,profile=default"`
	if e.has("no-seccomp") {
		options = ""
	}
	if e.has("rootless") {
		options += `,"name=rootless"`
	}
	cgroup := 2
	if e.has("cgroup1") {
		cgroup = 1
	}
	return fmt.Sprintf(`{"ServerVersion":"20.10.24","OSType":"linux","OperatingSystem":"Fake","KernelVersion":"6.1","Architecture":"x86_64",
		"Driver":"overlay2","CgroupVersion":"%d","CgroupDriver":"systemd","SecurityOptions":[%s],"Runtimes":{"runc":{}},"DefaultRuntime":"runc",
		"NCPU":2,"MemTotal":4294967296,"DockerRootDir":"/","MemoryLimit":%v,"SwapLimit":true,"PidsLimit":true,"CpuCfsPeriod":true,"CpuCfsQuota":true}`,
		cgroup, options, !e.has("no-memory"))
}

// note keeps what is asked to be removed.
func (e *engineAnswers) note(path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := os.OpenFile(e.removed, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return // the script misses the file
	}
	defer f.Close()
	fmt.Fprintln(f, path)
}
