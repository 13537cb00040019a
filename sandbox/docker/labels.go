package docker

// Label is the key of the label that every container, volume and image of
// ours carries. Its value is one of the kinds below.
const Label = "glovebox"

// Kinds: the values of [Label].
const (
	kindBox   = "box"   // a container in which a box runs
	kindAgent = "agent" // a volume with the agent, and the container that fills it
	kindImage = "image" // an image that we built or imported

	// The volumes of a job have the kinds of sandbox.VolumeKind. This is one that
	// an engine has made in the place of a volume that was gone, or while one is
	// filled.
	kindStray = "stray"
)

// Further labels. They inform people and decide what [Engine.Clean] keeps.
const (
	labelJob   = "glovebox.job"    // the job that a box works for
	labelBuild = "glovebox.build"  // the agent's build: hex sha256 of its file
	labelOwner = "glovebox.owner"  // the process that holds a box, see owner
	labelFill  = "glovebox.filler" // who fills a volume, a random word
	labelTag   = "glovebox.tag"    // the tag an image of ours was made under
)
