//go:build linux

package agent

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/glovebox-run/glovebox/sandbox"
	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// diskTime bounds one look at the files.
const diskTime = 5 * time.Second

// disk answers wire.PathDisk.
type disk struct {
	where places
	mu    sync.Mutex // one look at a time, and the meter
	meter *sandbox.DirMeter
}

func (s *disk) measure(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.look(r.Context(), r.URL.Query().Has("walk"), sandbox.Rank(r.URL.Query().Get("by")))
	if err != nil {
		refuse(w, err, nil)
		return
	}
	answer(w, http.StatusOK, d)
}

func (s *disk) look(ctx context.Context, walk bool, by sandbox.Rank) (d wire.Disk, err error) {
	if s.meter == nil {
		if s.meter, err = sandbox.NewDirMeter(s.where.workspace, nil, s.where.home); err != nil {
			return d, err
		}
	}
	space, err := s.meter.Space(ctx)
	if err != nil {
		return d, err
	}
	d = wire.Disk{Size: space.Size, Used: space.Used, Free: space.Free,
		Files: space.Files, UsedFiles: space.UsedFiles, FreeFiles: space.FreeFiles}
	if !walk {
		return d, nil
	}
	ctx, cancel := context.WithTimeout(ctx, diskTime)
	defer cancel()
	u, err := s.meter.Usage(ctx, by)
	if err != nil {
		return d, err
	}
	d.Usage = &wire.DiskUsage{Bytes: u.Bytes, Files: u.Files, Unread: u.Unread, Cut: u.Cut}
	for _, item := range u.Largest {
		d.Usage.Largest = append(d.Usage.Largest, wire.DiskItem{Path: []byte(item.Path), Bytes: item.Bytes, Files: item.Files, Dir: item.Dir})
	}
	return d, nil
}
