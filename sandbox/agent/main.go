//go:build linux

package agent

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// silence is how long no byte may come from the host, which pings every 15 s,
// until the agent ends. The end of the stream comes sooner where it comes; it
// is lost when the engine itself dies.
const silence = time.Minute

// Main is the agent: it serves the host on in and out until in ends, and
// returns the exit code of the process. Messages for an operator go to errs.
//
// -probe and -amount make it no agent but a command that tries a wall of its
// box. The other flags are for tests: -workspace and -home put directories in
// the place of [sandbox.Workspace] and [sandbox.Home] where there is no mount,
// -silence is another time after which a silent host counts as gone.
func Main(args []string, in, out, errs *os.File) int {
	flags := flag.NewFlagSet("glovebox-agent", flag.ContinueOnError)
	flags.SetOutput(errs)
	workspace := flags.String("workspace", sandbox.Workspace, "the directory that is the workspace")
	home := flags.String("home", sandbox.Home, "the directory that is the home")
	quiet := flags.Duration("silence", silence, "how long the host may be silent")
	what := flags.String("probe", "", "the wall to try: kernel, cpu, pids or memory")
	amount := flags.Int64("amount", 0, "how much of it to take")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *what != "" {
		return probe(*what, *amount, out, errs)
	}
	roomy(out)
	self, err := harden(in, out)
	if err != nil {
		fmt.Fprintln(errs, "glovebox-agent:", err)
		return 1
	}
	if err := serve(self, places{workspace: *workspace, home: *home}, *quiet); err != nil {
		fmt.Fprintln(errs, "glovebox-agent:", err)
		self.family.killAll()
		return 1
	}
	self.family.killAll()
	return 0
}

// outRoom is how much the pipe to the engine holds, in bytes: a frame of output
// and more, so that the agent does not wait for each to be taken away. The
// kernel counts the pipes of a user over all boxes, so it is not all it may have.
const outRoom = 256 << 10

// roomy makes room in the pipe to the engine, if it is one and may be.
func roomy(out *os.File) {
	raw, err := out.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, outRoom) })
}

// serve answers the host until its stream ends or falls silent. It does not
// wait for anything that may hang in a write to a host that is gone.
func serve(self *self, where places, silence time.Duration) error {
	stream := newStream(self.in, self.out, silence)
	served := make(chan error, 1)
	go func() { served <- serveStream(stream, self, where) }()
	select {
	case err := <-served:
		return err
	case err := <-stream.ended:
		return err
	}
}

func serveStream(stream io.ReadWriteCloser, self *self, where places) error {
	hello, err := wire.Answer(stream, self.build)
	if err != nil {
		return err
	}
	if hello.Key != nil {
		if stream, err = wire.Seal(stream, hello.Key, false); err != nil {
			return err
		}
	}
	session, err := wire.Server(stream)
	if err != nil {
		return err
	}
	handler := http.NewServeMux()
	commands := &commands{family: self.family, where: where, counters: self.counters}
	commands.told.set(self.counters.now())
	files := &files{where: where}
	disk := &disk{where: where}
	handler.HandleFunc("POST "+wire.PathRun, commands.run)
	handler.HandleFunc("GET "+wire.PathLeft, commands.left)
	handler.HandleFunc("GET "+wire.PathFile, files.read)
	handler.HandleFunc("PUT "+wire.PathFile, files.write)
	handler.HandleFunc("GET "+wire.PathList, files.list)
	handler.HandleFunc("GET "+wire.PathDisk, disk.measure)
	trees := &trees{where: where}
	handler.HandleFunc("POST "+wire.PathTree, trees.send)
	handler.HandleFunc("PUT "+wire.PathTree, trees.take)
	server := http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	return server.Serve(session)
}
