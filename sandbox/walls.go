package sandbox

import "context"

// Describer is an [Engine] that can say how it holds a box.
type Describer interface {
	// Describe says what a box of s would be started with. It starts nothing
	// and changes nothing; what it says comes from where boxes are started.
	Describe(ctx context.Context, s Spec) (Walls, error)
}

// Walls are what an engine holds a box by, for people.
type Walls struct {
	Engine  string   // name, version and address of the engine
	System  string   // what the engine runs on
	Runtime string   // of containers, by the engine's name
	Kernel  string   // that a box sees
	Flags   []string // what the engine is told, one a line, as its command line would say it
}
