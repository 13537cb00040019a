//go:build linux

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// files answers wire.PathFile and wire.PathList.
type files struct {
	where places
}

func (s *files) read(w http.ResponseWriter, r *http.Request) {
	most, err := strconv.ParseInt(r.URL.Query().Get("max"), 10, 63)
	if err != nil || most < 0 {
		http.Error(w, "max is no size", http.StatusBadRequest)
		return
	}
	f, about, err := openRegular(s.where.path(r.URL.Query().Get("path")))
	if err != nil {
		refuse(w, err, about)
		return
	}
	defer f.Close()
	header, err := json.Marshal(about)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set(wire.FileHeader, string(header))
	if n, err := io.CopyN(w, f, most+1); err != nil && err != io.EOF {
		if n == 0 {
			w.Header().Del(wire.FileHeader)
			refuse(w, err, about)
			return
		}
		panic(http.ErrAbortHandler) // half a file must not look like one
	}
}

// openRegular opens a file and nothing else: a pipe would be disturbed by it, a device do something.
func openRegular(path string) (*os.File, *wire.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, describe(info), kindError(info)
	}
	// It may have become a pipe since: that must not block.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = kindError(info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, describe(info), nil
}

func (s *files) write(w http.ResponseWriter, r *http.Request) {
	wrote, err := s.replace(s.where.path(r.URL.Query().Get("path")), r.Body, r.ContentLength)
	if err != nil {
		refuse(w, err, nil)
		return
	}
	answer(w, http.StatusOK, wrote)
}

// replace writes size bytes of data beside path and renames.
func (s *files) replace(path string, data io.Reader, size int64) (wrote wire.Wrote, err error) {
	if path, err = followLinks(path); err != nil {
		return wrote, err
	}
	mode := fs.FileMode(0o644)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return wrote, kindError(info)
	case err == nil:
		mode = info.Mode().Perm()
		wrote = wire.Wrote{Existed: true, Before: *describe(info)}
	case !errors.Is(err, fs.ErrNotExist):
		return wrote, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return wrote, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".glovebox-write-*")
	if err != nil {
		return wrote, err
	}
	defer os.Remove(f.Name()) // is renamed by then if all went well
	if err = fill(f, data, size, mode); err != nil {
		return wrote, err
	}
	return wrote, os.Rename(f.Name(), path)
}

// fill writes size bytes to f, which must all come, and closes it.
func fill(f *os.File, data io.Reader, size int64, mode fs.FileMode) error {
	n, err := io.Copy(f, data)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes came", n, size)
	}
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// followLinks is the path that a write to path would reach, also if nothing is there yet.
func followLinks(path string) (string, error) {
	for range 40 { // as the kernel does
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil // what is wrong with it shows when it is used
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", syscall.ELOOP
}

func describe(info fs.FileInfo) *wire.File {
	return &wire.File{Kind: kind(info.Mode()), Size: info.Size(), Mode: uint32(info.Mode().Perm())}
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "dir"
	case mode&fs.ModeSymlink != 0:
		return "link"
	}
	return "other"
}

// kindError is why what is there can't be used as a file.
func kindError(info fs.FileInfo) error {
	if info.IsDir() {
		return wire.ErrIsDir
	}
	return wire.ErrNotRegular
}

func refuse(w http.ResponseWriter, err error, about *wire.File) {
	e := wire.ErrorOf(err)
	e.File = about
	answer(w, wire.StatusFileError, e)
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(body)
}
