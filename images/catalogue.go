package images

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Default is the image of a job that names none.
const Default = "python"

// DebianRef is the image that ours are built on where a registry answers.
const DebianRef = "debian:bookworm-slim"

//go:embed base/Dockerfile python/Dockerfile node/Dockerfile go/Dockerfile
var dockerfiles embed.FS

// Recipe is one of our images, made or not.
type Recipe struct {
	Name string
	// Why says why the image exists, in a line for people.
	Why string
	// Parent is the one of ours it is built on, or "" if that is Debian.
	Parent string
	// Tag is under which the engine has it once it is made.
	Tag string

	dockerfile []byte
	// takes is about how long building it takes without its parents: as
	// measured on 2 cores with a mirror nearby and other work going on, rounded up.
	takes time.Duration
}

// Names returns the names of our images, each after its parent.
func Names() []string { return []string{"base", "python", "node", "go"} }

// Info describes one of our images. It reports false for any other name.
func Info(name string) (Recipe, bool) { return recipe(name, DebianRef) }

// recipe is Info for a Debian of another name, which leads to other tags.
func recipe(name, debian string) (Recipe, bool) {
	r := Recipe{Name: name}
	switch name {
	case "base":
		r.takes = 30 * time.Second
	case "python":
		r.Parent, r.takes = "base", 30*time.Second
	case "node":
		r.Parent, r.takes = "base", 2*time.Minute
	case "go":
		r.Parent, r.takes = "base", 90*time.Second
	default:
		return Recipe{}, false
	}
	r.dockerfile = dockerfile(name)
	r.Why = why(r)
	r.Tag = "glovebox/" + name + ":" + hash(r, debian)[:12]
	return r, true
}

// hash is the content hash of a recipe and of everything below it, in hex.
func hash(r Recipe, debian string) string {
	below := debian
	if parent, ok := recipe(r.Parent, debian); ok {
		below = hash(parent, debian)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s", below, r.dockerfile))
	return hex.EncodeToString(sum[:])
}

// why takes the line out of the Dockerfile's first, "# name: why".
func why(r Recipe) string {
	first, _, _ := strings.Cut(string(r.dockerfile), "\n")
	return strings.TrimPrefix(first, "# "+r.Name+": ")
}

// dockerfile is embedded; it can be missing only in a build that is broken.
func dockerfile(name string) []byte {
	b, err := dockerfiles.ReadFile(name + "/Dockerfile")
	if err != nil {
		panic("images: " + err.Error())
	}
	return b
}
