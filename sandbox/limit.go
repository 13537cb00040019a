package sandbox

import "github.com/glovebox-run/glovebox/sandbox/wire"

// Limit names a limit of a box in results.
type Limit string

// The limits that a result can name. Those of the first group are what the
// agent saw of its own box; the others are the host's own observation.
const (
	// LimitMemory: the kernel killed something because the box had reached its memory.
	LimitMemory Limit = wire.LimitMemory
	// LimitHostMemory: the kernel killed something of the box, which had not
	// reached its own memory limit: the machine's memory was short.
	LimitHostMemory Limit = wire.LimitHostMemory
	// LimitPIDs: a process or thread could not be started.
	LimitPIDs Limit = wire.LimitPIDs
	// LimitFileSize: a program was ended because a file would have grown too large.
	LimitFileSize Limit = wire.LimitFileSize
	// LimitTemp: /tmp or another temporary file system is full, and was not
	// before or the command failed.
	LimitTemp Limit = wire.LimitTemp
	// LimitShared: the same of /dev/shm.
	LimitShared Limit = wire.LimitShared

	// LimitTime: the command was stopped because its time was over.
	LimitTime Limit = "time"
	// LimitOutput: a part of the output was left out.
	LimitOutput Limit = "output"
	// LimitDisk: workspace and home together hold too many bytes.
	LimitDisk Limit = "disk"
	// LimitFiles: they hold too many files.
	LimitFiles Limit = "files"
	// LimitUnseen: the file system has filled up during the call by more than
	// workspace and home may hold, and the files in them don't explain it.
	LimitUnseen Limit = "disk, unseen"
	// LimitFloor: the file system they lie on has hardly any room left.
	LimitFloor Limit = "free space"
)

// fileBytes is what one file is allowed to take on average, in bytes: the
// usual block. The limit of files comes from the limit of disk by it.
const fileBytes = 4 << 10

// mostFiles is as many as a workspace in a volume can be fetched with, and some
// more (the runner takes 500,000): whoever has too many can still clean up.
const mostFiles = 400_000

// Files is how many files, directories and links workspace and home may hold
// together.
func (l Limits) Files() int64 { return min(max(l.Disk/fileBytes, 10_000), mostFiles) }

// Temp is the size of every temporary file system of a box in bytes. What lies
// in one counts as memory, so it is full before the box is killed for it.
func (l Limits) Temp() int64 { return min(l.Disk, l.Memory/2) }

// sharedMemory is the size of /dev/shm in bytes, Docker's default.
const sharedMemory = 64 << 20

// Shared is the size of /dev/shm in bytes, which counts as memory too.
func (l Limits) Shared() int64 { return min(sharedMemory, l.Memory/2) }

// hits are the limits that a result names: what the agent saw, and what the
// host sees by itself.
func hits(r wire.Result) []Limit {
	var hit []Limit
	if r.TimedOut {
		hit = append(hit, LimitTime)
	}
	hit = append(hit, limits(r.Limits)...)
	if r.Elided > 0 {
		hit = append(hit, LimitOutput)
	}
	return hit
}

func limits(names []string) (limits []Limit) {
	for _, name := range names {
		limits = append(limits, Limit(name))
	}
	return limits
}
