// Package docker starts boxes on a Docker engine. It is the only package that
// imports the Docker client, and it takes the narrow slice of it that is the
// interface api.
//
// [New] connects. [Engine.Start] turns a [sandbox.Spec] into a container
// configuration by a pure function (walls.go, with golden files), creates the
// container, attaches to it, starts it, shakes hands with the agent in it and
// hands out the attached stream. Whatever fails on the way, the container is
// removed; when the stream is closed, the container is removed.
//
// The agent comes into a box from a volume that is filled once for each build
// of the agent (agent.go), so that any image with nothing but a shell works.
//
// An engine may be behind TCP or ssh (ssh.go). The directories of a job whose
// engine sees none of this machine are volumes (volume.go).
//
// A wall that this engine lacks is a *[sandbox.WallError], never a box without
// it: facts.go asks the engine what it can do, probe.go lets boxes run into
// their limits the first time that an engine and runtime are met (remember.go),
// warnings.go reads what the engine says about a container it made. The filter
// of system calls is seccomp.json.
//
// Everything made here carries the label [Label]. [Engine.Clean] removes what
// carries it and nothing else. Besides, an Engine is an [images.Store].
package docker
