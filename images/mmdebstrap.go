package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// bootstrap is how a Debian is made here, or nil if it can't be.
func (m *maker) bootstrap() func(context.Context, io.Writer, io.Writer) error {
	if m.Bootstrap != nil {
		return m.Bootstrap
	}
	path, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return nil
	}
	return func(ctx context.Context, rootfs, progress io.Writer) error {
		return mmdebstrap(ctx, path, m.Environ, rootfs, progress)
	}
}

// slim leaves out of every package, also of those installed later, what
// debian:bookworm-slim leaves out: manuals, translations, documentation but the licences.
func slim() []string {
	return []string{
		`--aptopt=Acquire::Languages "none"`,
		`--dpkgopt=path-exclude=/usr/share/man/*`,
		`--dpkgopt=path-exclude=/usr/share/locale/*`,
		`--dpkgopt=path-exclude=/usr/share/doc/*`,
		`--dpkgopt=path-include=/usr/share/doc/*/copyright`,
	}
}

// mmdebstrap runs the program at path: Debian's own, with Debian's default
// mirror and the signatures it checks itself.
func mmdebstrap(ctx context.Context, path string, environ []string, rootfs, progress io.Writer) error {
	args := append([]string{"--variant=minbase"}, slim()...)
	cmd := exec.CommandContext(ctx, path, append(args, "bookworm", "-")...)
	cmd.Env = bootstrapEnv(environ)
	cmd.Stdout = rootfs
	cmd.Stderr = progress
	// Asked to end it unmounts and removes its directory; but it ends at once
	// only if the programs it has started, a group of their own, are asked too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("run mmdebstrap: %w", err))
	}
	return nil
}

// bootstrapEnv is all that mmdebstrap is told of the host: keys stay out.
func bootstrapEnv(environ []string) []string {
	env := []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}
	for _, k := range []string{"HOME", "TMPDIR"} {
		if v := os.Getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	for k, v := range proxyArgs(environ) {
		env = append(env, k+"="+v)
	}
	return env
}
