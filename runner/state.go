package runner

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// stateDir is the job's own directory in the project. No box sees it.
const stateDir = ".glovebox"

// What lies in it. home is $HOME of the boxes and the only part they reach.
const (
	jobFile      = "job.json"
	specFile     = "spec.txt"
	featuresFile = "features.json"
	ledgerFile   = "ledger.jsonl"
	lockFile     = "lock"
	frozenDir    = "frozen"
	homeDir      = "home"
)

const stateVersion = 1

// jobMax bounds job.json in bytes.
const jobMax = 64 << 10

// jobRecord is what a job is, written once.
type jobRecord struct {
	V        int       `json:"v"`
	ID       string    `json:"id"`
	Spec     string    `json:"spec"`
	SpecHash string    `json:"spec_hash"`
	Features int       `json:"features"`
	Created  time.Time `json:"created"`
	// Brought says that there was a repository before the job.
	Brought bool `json:"brought,omitempty"`
}

// state is the job's directory, held by one process.
type state struct {
	project *os.Root // the project directory
	root    *os.Root // .glovebox in it
	lock    *os.File
	job     jobRecord
	resumed bool
}

// openState opens or creates the job of spec in dir and takes its lock.
func openState(dir string, spec Spec, features int) (s *state, err error) {
	s = &state{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.project, err = os.OpenRoot(dir); err != nil {
		return s, &Error{Outcome: Usage, Reason: "can't open the project directory", Err: err,
			Hint: "can its owner read, write and enter it? chmod u+rwx lets a job go on whose box has closed it"}
	}
	if s.root, err = openStateDir(s.project); err != nil {
		return s, err
	}
	if s.lock, err = takeLock(s.root); err != nil {
		return s, err
	}
	// What a killed process left lent goes back before anything can be refused.
	if err := giveBack(s.project, s.root); err != nil {
		return s, err
	}
	return s, s.loadJob(spec, features)
}

// openBegun opens the job that was begun in dir, with its own specification,
// and takes its lock.
func openBegun(dir string) (*state, error) {
	root, err := openForReading(dir)
	if err != nil {
		return &state{}, noJob(dir, err)
	}
	defer root.Close()
	record, err := readJob(root)
	if err != nil {
		return &state{}, noJob(dir, err)
	}
	text, err := atomicfile.Read(root, specFile, specMax)
	if err != nil {
		return &state{}, fmt.Errorf("read the job's specification: %w", err)
	}
	return openState(dir, Spec{Name: record.Spec, Text: string(text)}, 0)
}

func noJob(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoJob) {
		return &Error{Outcome: Usage, Reason: "no job was begun in " + dir, Hint: "give the directory that was --project-dir of a run"}
	}
	return err
}

// openStateDir opens .glovebox, which must be a directory of ours: a project
// that is brought may carry a link or somebody else's.
func openStateDir(project *os.Root) (*os.Root, error) {
	if err := project.Mkdir(stateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &Error{Outcome: FailedRun, Reason: "can't write to the project directory", Err: err}
	}
	info, err := project.Lstat(stateDir)
	if err != nil {
		return nil, err
	}
	owner, err := ownerOf(info)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || owner.UID != os.Geteuid() {
		return nil, &Error{Outcome: Usage,
			Reason: stateDir + " in the project directory is not a directory of yours",
			Hint:   "it came with the project; look at it and move it away"}
	}
	if err := project.Chmod(stateDir, 0o700); err != nil {
		return nil, err
	}
	root, err := project.OpenRoot(stateDir)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(root, ".gitignore", []byte("*\n"), 0o600); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// ErrBusy says that another process works on a job.
var ErrBusy = errors.New("its lock is taken")

// takeLock makes this process the only one that works on the job. The kernel
// drops the lock when the process ends, however it ends. It tries for a moment
// because a reader of the status holds it for an instant.
func takeLock(root *os.Root) (*os.File, error) {
	f, err := atomicfile.Open(root, lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrExist) { // another process has just made it
		f, err = atomicfile.Open(root, lockFile, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(500 * time.Millisecond)
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			pid := make([]byte, 20)
			n, _ := f.ReadAt(pid, 0) // for the message only
			pid = pid[:n]
			f.Close()
			return nil, inUse(pidNote(pid))
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0) // for the message above only
	}
	return f, nil
}

func pidNote(data []byte) string {
	var pid int
	if _, err := fmt.Sscanf(string(data), "%d", &pid); err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}

// locked says whether a process holds the job's lock.
func locked(root *os.Root) bool {
	f, err := atomicfile.Open(root, lockFile, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// loadJob reads what the job is, or writes it if this is its first process.
func (s *state) loadJob(spec Spec, features int) error {
	record, err := readJob(s.root)
	if _, known := s.root.Lstat(ledgerFile); errors.Is(err, fs.ErrNotExist) && known == nil {
		return missing(jobFile, ledgerFile+" is there")
	}
	if errors.Is(err, fs.ErrNotExist) {
		_, repository := s.project.Lstat(".git")
		s.job = jobRecord{V: stateVersion, ID: newJobID(), Spec: spec.Name, SpecHash: SpecHash(spec.Text),
			Features: cmp.Or(features, DefaultFeatures), Created: time.Now().UTC(), Brought: repository == nil}
		return s.createJob(spec)
	}
	if err != nil {
		return err
	}
	if err := record.fits(spec, features); err != nil {
		return err
	}
	s.job, s.resumed = record, true
	return nil
}

func (s *state) createJob(spec Spec) error {
	if err := atomicfile.Write(s.root, specFile, []byte(spec.Text), 0o600); err != nil {
		return err
	}
	if err := noteHooks(s.project, s.root); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s.job, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.root, jobFile, data, 0o600)
}

func readJob(root *os.Root) (jobRecord, error) {
	data, err := atomicfile.Read(root, jobFile, jobMax)
	if err != nil {
		return jobRecord{}, err
	}
	var record jobRecord
	if err := json.Unmarshal(data, &record); err != nil || !utf8.Valid(data) || record.V != stateVersion || record.ID == "" {
		return jobRecord{}, damaged(errors.New(jobFile + " is damaged or from another version of glovebox"))
	}
	return record, nil
}

func (s *state) close() {
	if s.lock != nil {
		s.lock.Close()
	}
	if s.root != nil {
		s.root.Close()
	}
	if s.project != nil {
		s.project.Close()
	}
}

// SpecHash identifies a specification: the SHA-256 of its text, in hex.
func SpecHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func newJobID() string { return strings.ToLower(rand.Text()[:10]) }
