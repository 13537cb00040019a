package batch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// Dir is the batch's own directory in the one that holds its projects.
const Dir = ".glovebox-batch"

const (
	recordFile = "batch.json"
	purseFile  = "purse.lock"
)

const (
	recordVersion = 1
	recordMax     = 16 << 20 // bytes
)

// Item is one spec of a batch.
type Item struct {
	Name     string `json:"name"` // of the project directory below the batch's
	Spec     string `json:"spec"` // the file, for people
	SpecHash string `json:"spec_hash"`
	Model    string `json:"model"`
}

// record is which jobs a batch has, in their order.
type record struct {
	V     int    `json:"v"`
	Items []Item `json:"items"`
}

// ErrNoBatch says that a directory holds no batch of ours.
var ErrNoBatch = errors.New("no batch here")

// Open makes out the directory of a batch of these items, or of more: what an
// earlier command had and this one has not stays in the record.
func Open(out string, items []Item) (*os.Root, error) {
	if err := os.MkdirAll(filepath.Join(out, Dir), 0o700); err != nil {
		return nil, fmt.Errorf("make the batch's directory: %w", err)
	}
	root, err := openRecord(out)
	if err != nil {
		return nil, err
	}
	if err := write(root, items); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func write(root *os.Root, items []Item) error {
	had, err := read(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now := map[string]bool{}
	for _, item := range items {
		now[item.Name] = true
	}
	for _, item := range had {
		if !now[item.Name] {
			items = append(items, item)
		}
	}
	data, err := json.MarshalIndent(record{V: recordVersion, Items: items}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the batch's record: %w", err)
	}
	return atomicfile.Write(root, recordFile, append(data, '\n'), 0o600)
}

// Read are the items of the batch in out. Without one the error wraps ErrNoBatch.
func Read(out string) ([]Item, error) {
	root, err := openRecord(out)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	items, err := read(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", out, ErrNoBatch)
	}
	return items, err
}

func openRecord(out string) (*os.Root, error) {
	dir := filepath.Join(out, Dir)
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", out, ErrNoBatch)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

func read(root *os.Root) ([]Item, error) {
	data, err := atomicfile.Read(root, recordFile, recordMax)
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.V != recordVersion {
		return nil, fmt.Errorf("%s/%s is damaged or from another version of glovebox; the jobs are safe: move it away, the same command makes a new one", Dir, recordFile)
	}
	return r.Items, nil
}
