package sandbox

import (
	"context"
	"errors"
)

// ErrNoVolume says that a volume is not there, or is not one of ours.
var ErrNoVolume = errors.New("the engine does not have this volume")

// ErrNotMounted says that an engine can't mount a directory of the host: it
// runs somewhere else and has none of this name.
var ErrNotMounted = errors.New("the engine can't mount this directory")

// VolumeKind is what a volume is for; it becomes a label.
type VolumeKind string

// The kinds of volumes.
const (
	VolumeWorkspace VolumeKind = "workspace"
	VolumeHome      VolumeKind = "home"
	VolumeProof     VolumeKind = "proof"
)

// VolumeSpec describes a volume.
type VolumeSpec struct {
	Kind VolumeKind
	// Job is the id of the job it belongs to.
	Job string
	// User owns its top directory.
	User User
	// Image is one that boxes of it will start from.
	Image string
}

// Volumes are what an [Engine] has besides if a job's directories can live with
// it. The methods may be called from several goroutines at once.
type Volumes interface {
	// CreateVolume makes an empty volume that lasts until it is removed, and
	// returns its name.
	CreateVolume(ctx context.Context, s VolumeSpec) (name string, err error)
	// HasVolume says whether a volume of this name belongs to the job.
	HasVolume(ctx context.Context, name, job string) (bool, error)
	// RemoveVolume removes a volume that no box uses any more; one that is not
	// there is as good. It never removes what is not ours.
	RemoveVolume(ctx context.Context, name string) error
}
