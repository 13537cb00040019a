package runner

import (
	"cmp"
	"context"

	"github.com/glovebox-run/glovebox/runner/ledger"
	"github.com/glovebox-run/glovebox/sandbox"
)

// isolation is what the boxes of this process will be held by, for the ledger:
// the limits asked for, and what the engine says that it is told of a box for a
// call. An engine that can't say so is found out by its first box, not here.
func (j *job) isolation(ctx context.Context) *ledger.IsolationInfo {
	l := j.o.Limits
	info := &ledger.IsolationInfo{
		Workspace: string(cmp.Or(j.o.Workspace, WorkspaceAuto)),
		Memory:    l.Memory, CPUs: l.CPUs, PIDs: l.PIDs, Disk: l.Disk, Files: l.Files(), Timeout: l.Timeout,
	}
	engine, able := j.o.Engine.(sandbox.Describer)
	if !able {
		return info
	}
	walls, err := j.walls(ctx, engine)
	if err != nil {
		j.log.Warn("the engine does not say how it holds a box", "error", err)
		return info
	}
	info.Engine, info.System, info.Runtime, info.Kernel, info.Flags = walls.Engine, walls.System, walls.Runtime, walls.Kernel, walls.Flags
	return info
}

func (j *job) walls(ctx context.Context, engine sandbox.Describer) (sandbox.Walls, error) {
	dir, err := j.state.project.Lstat(".")
	if err != nil {
		return sandbox.Walls{}, err
	}
	spec := j.boxSpec(true)
	if spec.User, _, err = boxUser(dir); err != nil {
		return sandbox.Walls{}, err
	}
	if j.o.Workspace == WorkspaceVolume { // which are made later
		spec.Workspace, spec.WorkspaceVolume = "", "(the job's workspace)"
		spec.Home, spec.HomeVolume = "", "(the job's home)"
	}
	return engine.Describe(ctx, spec)
}
