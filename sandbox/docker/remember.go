package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/docker/api/types/system"
)

// probeVersion is raised when what is probed, or what passes, changes.
const probeVersion = 1

// subject is everything that decides whether limits bite. If any of it
// changes, an engine is probed again.
type subject struct {
	Probe                             int
	Agent                             string // its build: it does the probing
	Filter                            string // SHA-256 of the filter of system calls
	Engine, Version, Host             string
	Kernel, Cgroup, Driver            string
	Rootless, Memory, Swap, PIDs, CPU bool
	Runtime                           string
	RuntimeIs                         system.Runtime // its program and arguments, which may turn limits off
}

// passed is what is remembered of a probe that every wall passed.
type passed struct {
	Subject subject
	Kernel  string // that boxes see
}

func subjectOf(f Facts, runtime, agent string) subject {
	if runtime == "" {
		runtime = f.Runtime
	}
	filter := sha256.Sum256([]byte(seccompProfile))
	return subject{
		Probe: probeVersion, Agent: agent, Filter: hex.EncodeToString(filter[:]),
		Engine: f.ID, Version: f.Version, Host: f.Host,
		Kernel: f.Kernel, Cgroup: f.Cgroup, Driver: f.CgroupDriver,
		Rootless: f.Rootless, Memory: f.MemoryLimit, Swap: f.SwapLimit, PIDs: f.PIDsLimit, CPU: f.CPULimit,
		Runtime: runtime, RuntimeIs: f.runtimes[runtime],
	}
}

// file is where it is remembered below the cache directory.
func (s subject) file(cacheDir string) (name string, content []byte, err error) {
	content, err = json.Marshal(s)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(content)
	return filepath.Join(cacheDir, "probe", hex.EncodeToString(sum[:12])+".json"), content, nil
}

// remembered is the kernel that boxes of s see, "" unless exactly s is known
// to have passed. A file that can't be read or is damaged is none.
func remembered(cacheDir string, s subject) string {
	file, want, err := s.file(cacheDir)
	if cacheDir == "" || err != nil {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var p passed
	if json.Unmarshal(data, &p) != nil {
		return ""
	}
	got, err := json.Marshal(p.Subject)
	if err != nil || string(got) != string(want) {
		return ""
	}
	return p.Kernel
}

// remember keeps that s has passed. Without it the next process probes again.
func remember(cacheDir string, s subject, kernel string) error {
	file, _, err := s.file(cacheDir)
	if cacheDir == "" || err != nil {
		return err
	}
	data, err := json.Marshal(passed{s, kernel})
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".probe") // another process may write the same
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
