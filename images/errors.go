package images

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Error is an image that can't be had, in words for a person.
type Error struct {
	// Image is the name that was asked for.
	Image string
	// Reason says what happened, in one line.
	Reason string
	// Hint says what can be done about it.
	Hint string
	// Detail is the end of what a failed program printed: several lines,
	// bounded, without control characters. It may be empty.
	Detail string
	Err    error
}

func (e *Error) Error() string { return e.Reason }

func (e *Error) Unwrap() error { return e.Err }

// oneLine is the first line of an error, bounded: engines append output.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if len(line) > 400 {
		line = strings.ToValidUTF8(line[:400], "") + "..."
	}
	return line
}

// checkRef refuses what no engine should ever be asked for.
func checkRef(ref string) error {
	bad := ref == "" || len(ref) > 512 || ref[0] == '-' || strings.ContainsFunc(ref, func(r rune) bool {
		return r <= ' ' || r > '~'
	})
	if !bad {
		return nil
	}
	return &Error{
		Image:  ref,
		Reason: fmt.Sprintf("%.80q is no name of an image", ref),
		Hint:   "ours are " + strings.Join(Names(), ", ") + "; any other name is a reference like debian:bookworm-slim",
		Err:    ErrNotFound,
	}
}

// pullError explains why an image that is not ours can't be had.
func pullError(ctx context.Context, ref string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("pull image %s: %w", ref, errors.Join(ctx.Err(), err))
	case errors.Is(err, ErrNotFound):
		return &Error{
			Image:  ref,
			Reason: fmt.Sprintf("image %s is neither in the engine nor in its registry", ref),
			Hint: "check the name (ours are " + strings.Join(Names(), ", ") +
				"); an image of your own is made with: docker build -t " + ref + " .",
			Err: err,
		}
	case errors.Is(err, ErrNoRegistry):
		return &Error{
			Image:  ref,
			Reason: fmt.Sprintf("image %s is not in the engine, and its registry can't be reached: %s", ref, oneLine(err)),
			Hint: "bring it with docker load or docker build, or use one of ours: " +
				strings.Join(Names(), ", "),
			Err: err,
		}
	}
	return &Error{
		Image:  ref,
		Reason: fmt.Sprintf("image %s is not in the engine and can't be pulled: %s", ref, oneLine(err)),
		Hint:   "try: docker pull " + ref,
		Err:    err,
	}
}

// noBaseError is the end of both ways to a Debian.
func noBaseError(ref string, err error) error {
	return &Error{
		Image:  ref,
		Reason: fmt.Sprintf("there is no Debian to build the image on: %s, and mmdebstrap is not installed", oneLine(err)),
		Hint: "either let the engine reach a registry (docker pull " + ref +
			"), or install mmdebstrap (apt-get install mmdebstrap), or bring an image of your own with --image",
		Err: errors.Join(ErrNoRegistry, errors.New(err.Error())), // a Debian that is not found is nobody's wrong name
	}
}

func buildError(ctx context.Context, r Recipe, err error, tail string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("build image %s: %w", r.Name, errors.Join(ctx.Err(), err))
	}
	return &Error{
		Image:  r.Name,
		Reason: fmt.Sprintf("image %s could not be built: %s", r.Name, oneLine(err)),
		Hint:   "building needs Debian's packages: can containers of this engine reach a Debian mirror? behind a proxy set http_proxy",
		Detail: tail,
		Err:    err,
	}
}

// bootstrapError prefers the bootstrap's own failure: the engine's is its echo.
func bootstrapError(stopped, err, made error, tail string) error {
	if made == nil || errors.Is(made, context.Canceled) && stopped == nil {
		made = err
	}
	if stopped != nil {
		return fmt.Errorf("bootstrap Debian: %w", errors.Join(stopped, made))
	}
	return &Error{
		Image:  "debian",
		Reason: fmt.Sprintf("Debian could not be made from its packages: %s", oneLine(made)),
		Hint:   "can this machine reach a Debian mirror? is there 1 GB in the directory for temporary files? try: mmdebstrap --variant=minbase bookworm /dev/null",
		Detail: tail,
		Err:    errors.Join(made, err),
	}
}
