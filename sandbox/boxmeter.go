package sandbox

import (
	"context"
	"net/http"
	"net/url"

	"github.com/glovebox-run/glovebox/sandbox/wire"
)

// A Box measures itself, for where the host can't see its files.
var _ Meter = (*Box)(nil)

// maxDiskAnswer bounds the agent's answer in bytes: a few paths in base64.
const maxDiskAnswer = 64 << 10

// Space is what the box's file systems say, see [Meter].
func (b *Box) Space(ctx context.Context) (Space, error) {
	d, err := b.askDisk(ctx, url.Values{})
	return Space{Size: d.Size, Used: d.Used, Free: d.Free, Files: d.Files, UsedFiles: d.UsedFiles, FreeFiles: d.FreeFiles}, err
}

// Usage is what lies in workspace and home of the box, see [Meter]. The agent
// takes 5 s at most, whatever ctx says.
func (b *Box) Usage(ctx context.Context, by Rank) (Usage, error) {
	d, err := b.askDisk(ctx, url.Values{"walk": {"1"}, "by": {string(by)}})
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Bytes: d.Usage.Bytes, Files: d.Usage.Files, Unread: d.Usage.Unread, Cut: d.Usage.Cut}
	for _, item := range d.Usage.Largest {
		u.Largest = append(u.Largest, Item{Path: string(item.Path), Bytes: item.Bytes, Files: item.Files, Dir: item.Dir})
	}
	return u, nil
}

// askDisk asks the agent. An end of ctx is no reason to lose the box: the
// answer comes soon.
func (b *Box) askDisk(ctx context.Context, q url.Values) (d wire.Disk, err error) {
	r := request{method: http.MethodGet, path: wire.PathDisk, query: q}
	err = b.ask(context.WithoutCancel(ctx), fileTime, r, func(res *http.Response) error {
		if err := wire.ReadJSON(res.Body, maxDiskAnswer, &d); err != nil {
			return err
		}
		return d.Check(q.Has("walk"))
	})
	if err != nil {
		return wire.Disk{}, b.lost("measure the disk of", err)
	}
	return d, nil
}
