package wire

import "fmt"

// Disk is what the agent says of workspace and home together: of their file
// system, and if it was asked to walk of the files in them.
type Disk struct {
	Size      int64 `json:"size"`
	Used      int64 `json:"used"`
	Free      int64 `json:"free"`
	Files     int64 `json:"files"`
	UsedFiles int64 `json:"used_files"`
	FreeFiles int64 `json:"free_files"`

	Usage *DiskUsage `json:"usage,omitempty"`
}

// DiskUsage is what the files take.
type DiskUsage struct {
	Bytes   int64      `json:"bytes"`
	Files   int64      `json:"files"`
	Unread  int64      `json:"unread,omitempty"`
	Cut     bool       `json:"cut,omitempty"`
	Largest []DiskItem `json:"largest,omitempty"`
}

// DiskItem is a directory or file that takes much.
type DiskItem struct {
	Path  []byte `json:"path"`
	Bytes int64  `json:"bytes"`
	Files int64  `json:"files"`
	Dir   bool   `json:"dir,omitempty"`
}

const (
	// MaxItems is how many items an answer may have.
	MaxItems = 5
	// maxDisk is more than any file system has, in bytes or files; sums of two stay numbers.
	maxDisk = 1 << 61
)

// Check refuses what can't be true of a disk. walked says that the files were asked for.
func (d Disk) Check(walked bool) error {
	numbers := []int64{d.Size, d.Used, d.Free, d.Files, d.UsedFiles, d.FreeFiles}
	if (d.Usage != nil) != walked {
		return fmt.Errorf("%w: a disk with files that nobody asked for, or without", ErrProtocol)
	}
	if walked {
		u := d.Usage
		numbers = append(numbers, u.Bytes, u.Files, u.Unread)
		if len(u.Largest) > MaxItems {
			return fmt.Errorf("%w: %d items of a disk", ErrProtocol, len(u.Largest))
		}
		for _, item := range u.Largest {
			numbers = append(numbers, item.Bytes, item.Files)
			if len(item.Path) == 0 || len(item.Path) > MaxPath {
				return fmt.Errorf("%w: an item with a path of %d bytes", ErrProtocol, len(item.Path))
			}
		}
	}
	for _, n := range numbers {
		if n < 0 || n > maxDisk {
			return fmt.Errorf("%w: a disk with %d bytes or files", ErrProtocol, n)
		}
	}
	return nil
}
