package runner

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/glovebox-run/glovebox/images"
	"github.com/glovebox-run/glovebox/runner/tool"
	"github.com/glovebox-run/glovebox/sandbox"
)

const (
	probeTimeout = 30 * time.Second
	probeOutput  = 64 << 10
)

func environment(image Image) []string { return tool.Environment(image.Path) }

// shell is what the model's commands run in.
func (j *job) shell() string {
	if j.inventory.Bash {
		return "bash"
	}
	return "sh"
}

// inspectImage finds out what the image holds, once for each image: in a box
// without the project, since the image is not trusted with it yet.
func (j *job) inspectImage(ctx context.Context) (images.Inventory, error) {
	if found, ok := j.remembered(); ok {
		return found, nil
	}
	spec := j.boxSpec(false)
	spec.Workspace, spec.WorkspaceVolume, spec.Hidden, spec.Disk = "", "", nil, nil
	var found images.Inventory
	whole := false
	err := j.withBox(ctx, forProbe, spec, func(box *sandbox.Box) error {
		result, err := box.Run(ctx, sandbox.Command{Args: []string{"sh", "-c", images.ProbeScript},
			Env: environment(j.o.Image), Timeout: probeTimeout, Head: probeOutput})
		if err != nil {
			return boxError(ctx, err)
		}
		if result.ExitCode == 126 || result.ExitCode == 127 {
			return &Error{Outcome: FailedRun, Reason: fmt.Sprintf("the image %s has no shell (sh)", j.o.Image.Ref),
				Hint: "boxes need at least a shell; choose another image with --image"}
		}
		found, whole = images.ParseInventory(result.Head), result.Success()
		return nil
	})
	if err == nil && whole {
		j.remember(found)
	}
	return found, err
}

func (j *job) inventoryFile() string {
	name := strings.NewReplacer(":", "-", "/", "-").Replace(j.o.Image.ID)
	return filepath.Join(j.o.CacheDir, "inventory", name+".json")
}

func (j *job) remembered() (found images.Inventory, ok bool) {
	if j.o.CacheDir == "" {
		return found, false
	}
	data, err := os.ReadFile(j.inventoryFile())
	if err != nil || json.Unmarshal(data, &found) != nil {
		return images.Inventory{}, false
	}
	return found, true
}

// remember keeps an inventory for the next job; if it can't, that one asks again.
func (j *job) remember(found images.Inventory) {
	if j.o.CacheDir == "" {
		return
	}
	file := j.inventoryFile()
	data, err := json.Marshal(found)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		j.log.Warn("remember what the image holds", "error", err)
	}
}

// settleWorkspace decides where the project lies for boxes: in the directory
// itself, if they see it there, and else in a volume. It also refuses a project
// that brings a tracked state of its own.
func (j *job) settleWorkspace(ctx context.Context) error {
	if j.volumes == nil {
		err := j.checkMount(ctx)
		if !errors.Is(err, errOtherMount) || j.o.Workspace == WorkspaceBind {
			return err
		}
		if _, able := j.o.Engine.(sandbox.Volumes); !able {
			return err
		}
		if err := j.returnDirectory(); err != nil {
			return err
		}
		if err := j.makeVolumes(ctx, "the engine does not see this directory"); err != nil {
			return err
		}
	}
	return j.withBox(ctx, forProbe, j.boxSpec(true), func(box *sandbox.Box) error { return j.refuseTracked(ctx, box) })
}

// errOtherMount says that boxes don't see the directory that we mean.
var errOtherMount = errors.New("boxes don't see the project directory")

func otherMount(cause error) *Error {
	err := errOtherMount
	if cause != nil {
		err = fmt.Errorf("%w: %w", errOtherMount, cause)
	}
	return &Error{Outcome: NoSandbox, Reason: "the engine mounts another directory than the one you mean", Err: err,
		Hint: "it runs on another machine or outside of this container: leave --workspace out, or give a directory that both see under the same path"}
}

// checkMount proves that what boxes see as the project is the directory we
// mean: in a CI container with a borrowed Docker socket the engine mounts a
// directory of another machine. It reads a number there that was just written here.
func (j *job) checkMount(ctx context.Context) error {
	const name = ".nonce"
	nonce := rand.Text()
	if err := j.home.write(name, []byte(nonce), 0o644); err != nil {
		return err
	}
	defer j.home.root.Remove(name)
	return j.withBox(ctx, forProbe, j.boxSpec(true), func(box *sandbox.Box) error {
		_, data, err := box.ReadFile(ctx, sandbox.Home+"/"+name, 1024)
		if err != nil && (errors.Is(err, sandbox.ErrBoxLost) || ctx.Err() != nil) {
			return boxError(ctx, err)
		}
		if string(data) != nonce {
			return otherMount(nil)
		}
		return j.refuseTracked(ctx, box)
	})
}

func (j *job) refuseTracked(ctx context.Context, box *sandbox.Box) error {
	if !j.inventory.Git {
		return nil
	}
	result, err := box.Run(ctx, j.script(quietGit+`git ls-files -- "$1" 2>/dev/null | head -1`, stateDir))
	if err != nil {
		return boxError(ctx, err)
	}
	if !result.Success() {
		return &Error{Outcome: FailedRun, Reason: "can't look whether git tracks " + stateDir + ": " + j.clip(firstLine(result.Output()), errorKept),
			Hint: "can its owner read and enter the project directory? the same command goes on"}
	}
	if strings.TrimSpace(result.Output()) != "" {
		return trackedState(nil)
	}
	return nil
}

// trackedState says that git tracks the job's state, or may: err is why that
// can't be seen.
func trackedState(err error) *Error {
	return &Error{Outcome: Usage, Reason: "git tracks " + stateDir + " in this project: its state came with it and can't be trusted",
		Hint: "git rm -r --cached " + stateDir + ", commit, and move it away", Err: err}
}
