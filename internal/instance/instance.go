// SPDX-License-Identifier: Apache-2.0

// Package instance knows what belongs to one independent RDD: its name, its
// directories and files, its preferred port, its saved settings, and whether
// its daemon is alive. Instances share nothing.
package instance

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

const (
	// DefaultName is the instance that is meant when none is named.
	DefaultName = "2"

	// NameEnv names the instance when no flag does.
	NameEnv = "RDD_INSTANCE"

	// ContextPrefix begins the names under which instances are known to other
	// programs.
	ContextPrefix = "rancher-desktop-"

	// LogDirEnv replaces the log directory.
	LogDirEnv = "RDD_LOG_DIR"

	maxNameLength = 24

	// basePort is the port of the API server of an instance with index 0.
	basePort = 6443
	maxPort  = 65535

	// logPattern matches every log of the daemon, the rotated ones too.
	logPattern = "rdd.*.log*"
)

var nameRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Instance is one RDD. The zero value is not usable; see [New].
type Instance struct {
	name string
	home string // the user's

	dir          string
	logDir       string
	customLogDir bool // logDir is the user's choice
	shortDir     string
}

// New returns the instance called name, or, where name is empty, the one that
// the environment names, or the default. It touches no file. An unusable name
// is a [fault.Usage].
func New(name string) (*Instance, error) {
	home, homeErr := os.UserHomeDir()
	return newIn(name, home, homeErr, os.Getenv)
}

// In is [New] for a process with another home directory and environment than
// this one's, as a test starts them.
func In(name, home string, getenv func(string) string) (*Instance, error) {
	return newIn(name, home, nil, getenv)
}

// newIn is both; homeErr is why home is not known.
func newIn(name, home string, homeErr error, getenv func(string) string) (*Instance, error) {
	if name == "" {
		name = getenv(NameEnv)
	}
	if name == "" {
		name = DefaultName
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if homeErr != nil {
		return nil, fault.New(fault.Failed, "find the home directory", "", homeErr)
	}
	if !filepath.IsAbs(home) {
		// Each working directory would have an instance of its own.
		return nil, fault.New(fault.Failed, "find the home directory", "", fmt.Errorf("%q is not an absolute path", home))
	}
	inst := &Instance{name: name, home: home, shortDir: filepath.Join(home, ".rd"+name)}
	inst.dir, inst.logDir = platformDirs(home, inst.ContextName(), getenv)
	if dir := getenv(LogDirEnv); dir != "" {
		var err error
		if inst.logDir, err = filepath.Abs(dir); err != nil {
			return nil, fault.New(fault.Usage, "resolve "+LogDirEnv, dir, err)
		}
		inst.customLogDir = true
	}
	return inst, nil
}

// CheckName refuses what is no instance's name: a [fault.Usage].
func CheckName(name string) error {
	if len(name) > maxNameLength || !nameRE.MatchString(name) {
		return fault.New(fault.Usage, "", "", fmt.Errorf(
			"invalid instance name %q: lower case letters, digits and inner dashes, at most %d characters", name, maxNameLength))
	}
	return nil
}

// Name returns the instance's name.
func (i *Instance) Name() string { return i.name }

// ContextName returns the name under which the instance is known to other
// programs: its Docker context, its kubeconfig context.
func (i *Instance) ContextName() string { return ContextPrefix + i.name }

// PreferredPort returns the port that the API server takes where it is free
// and none was asked for: 6443 plus the number that is the instance's name, or
// plus 100 and a hash of the name below 1000.
func (i *Instance) PreferredPort() int {
	if n, err := strconv.Atoi(i.name); err == nil && basePort+n <= maxPort {
		return basePort + n
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(i.name))
	return basePort + 100 + int(h.Sum32()%1000)
}

// Dir holds the settings, the store and the secrets.
func (i *Instance) Dir() string { return i.dir }

// LogDir holds the daemon's logs.
func (i *Instance) LogDir() string { return i.logDir }

// ShortDir has a short path, for sockets: their paths have 104 bytes at most.
func (i *Instance) ShortDir() string { return i.shortDir }

// ArgsFile holds the saved settings.
func (i *Instance) ArgsFile() string { return filepath.Join(i.dir, "args.json") }

// ConfigFile is the kubeconfig.
func (i *Instance) ConfigFile() string { return filepath.Join(i.dir, "kubeconfig.yaml") }

// StoreFile is the SQLite database of the API server.
func (i *Instance) StoreFile() string { return filepath.Join(i.dir, "store.db") }

// DatastoreSocket is between the daemon and a database.
func (i *Instance) DatastoreSocket() string { return filepath.Join(i.shortDir, "datastore.sock") }

// CacheDir is where kubectl keeps what it learnt of the API.
func (i *Instance) CacheDir() string { return filepath.Join(i.dir, "cache") }

// PIDFile holds the process ID of the daemon, in decimal.
func (i *Instance) PIDFile() string { return filepath.Join(i.dir, "rdd.pid") }

// TLSDir holds certificates, keys and tokens.
func (i *Instance) TLSDir() string { return filepath.Join(i.dir, "tls") }

// LimaHome is LIMA_HOME for the instance's virtual machines.
func (i *Instance) LimaHome() string { return filepath.Join(i.shortDir, "lima") }

// BinDir holds the instance's own programs, which come first in the PATH of those
// that `rdd run` starts.
func (i *Instance) BinDir() string { return filepath.Join(i.shortDir, "bin") }

// DockerSocket is where the socket of the virtual machine's Docker appears.
func (i *Instance) DockerSocket() string { return filepath.Join(i.shortDir, "docker.sock") }

// ContainerdSocket is where the socket of the virtual machine's containerd
// appears.
func (i *Instance) ContainerdSocket() string { return filepath.Join(i.shortDir, "containerd.sock") }

// StdoutLog is what the daemon's process prints, which is nothing as a rule.
func (i *Instance) StdoutLog() string { return filepath.Join(i.logDir, "rdd.stdout.log") }

// StderrLog is the daemon's current log.
func (i *Instance) StderrLog() string { return filepath.Join(i.logDir, "rdd.stderr.log") }

// ContextMemory holds what is to be taken back of the instance's Docker context.
func (i *Instance) ContextMemory() string { return filepath.Join(i.dir, "docker-context.json") }

// VisitFile is there while the daemon that runs was started for one command alone.
func (i *Instance) VisitFile() string { return filepath.Join(i.dir, "daemon.visit") }

func (i *Instance) stateFile() string { return filepath.Join(i.dir, "daemon.json") }

// LockFile is what a daemon holds a lock on for all its life.
func (i *Instance) LockFile() string { return i.lockFile() }

// Written are the directories that a daemon writes to.
func (i *Instance) Written() []string { return []string{i.dir, i.logDir, i.shortDir} }

func (i *Instance) lockFile() string  { return filepath.Join(i.dir, "daemon.lock") }
func (i *Instance) startLock() string { return filepath.Join(i.dir, "start.lock") }

// Path is a named path of an instance.
type Path struct{ Key, Value string }

// Paths returns every path that users may rely on, sorted by key.
func (i *Instance) Paths() []Path {
	return []Path{
		{"args_file", i.ArgsFile()},
		{"config", i.ConfigFile()},
		{"dir", i.Dir()},
		{"docker_socket", i.DockerSocket()},
		{"lima_home", i.LimaHome()},
		{"log_dir", i.LogDir()},
		{"pid_file", i.PIDFile()},
		{"short_dir", i.ShortDir()},
		{"tls_dir", i.TLSDir()},
	}
}

// Exists reports whether the instance has been created: its settings are there.
func (i *Instance) Exists() (bool, error) {
	_, err := os.Stat(i.ArgsFile())
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// Require returns an error that lists the instances that there are if this one does
// not exist. It touches no file.
func (i *Instance) Require() error {
	exists, err := i.Exists()
	if err != nil || exists {
		return err
	}
	start := "rdd start"
	if i.name != DefaultName {
		start = "rdd --instance " + i.name + " start"
	}
	return fault.New(fault.Failed, "", "", fmt.Errorf("no instance %q: %s; create it with `%s`", i.name, i.beside(), start))
}

// beside says which instances there are.
func (i *Instance) beside() string {
	switch names := i.names(); len(names) {
	case 0:
		return "there are none"
	case 1:
		return "there is only " + names[0]
	default:
		return "there are " + strings.Join(names, ", ")
	}
}

// Names returns the names of the instances that there are, sorted.
func Names() ([]string, error) {
	one, err := New(DefaultName)
	if err != nil {
		return nil, err
	}
	return one.names(), nil
}

// Traces returns the names of the instances that there are, and of those of which only
// something is left, as logs that were kept, sorted.
func Traces() ([]string, error) {
	one, err := New(DefaultName)
	if err != nil {
		return nil, err
	}
	found := one.names()
	parents := []string{filepath.Dir(one.dir)}
	if !one.customLogDir { // which may be shared, and has no name of an instance in it
		parents = append(parents, filepath.Dir(one.logDir))
	}
	for _, parent := range parents {
		dirs, _ := os.ReadDir(parent) // see names
		for _, dir := range dirs {
			name, ours := strings.CutPrefix(dir.Name(), ContextPrefix)
			if !ours || CheckName(name) != nil {
				continue
			}
			if logs, _ := filepath.Glob(filepath.Join(parent, dir.Name(), logPattern)); len(logs) > 0 {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// names returns the names of the instances whose directories are beside this one's.
func (i *Instance) names() (names []string) {
	parent := filepath.Dir(i.dir)
	dirs, _ := os.ReadDir(parent) // of what can't be read there is nothing to name
	for _, dir := range dirs {
		name, ours := strings.CutPrefix(dir.Name(), ContextPrefix)
		if !ours || CheckName(name) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(parent, dir.Name(), filepath.Base(i.ArgsFile()))); err == nil {
			names = append(names, name)
		}
	}
	return names
}
