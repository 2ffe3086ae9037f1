// SPDX-License-Identifier: Apache-2.0

// Package instance defines an RDD instance: its name, directories and files, its
// preferred port, its saved settings, and whether its daemon is running. Instances
// share nothing.
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
	// DefaultName is the name of the default instance.
	DefaultName = "2"

	// NameEnv names the instance if no flag does.
	NameEnv = "RDD_INSTANCE"

	// ContextPrefix is the prefix of the instances' names in other programs.
	ContextPrefix = "rancher-desktop-"

	// LogDirEnv replaces the log directory.
	LogDirEnv = "RDD_LOG_DIR"

	maxNameLength = 24

	// basePort is the port of the API server of an instance with index 0.
	basePort = 6443
	maxPort  = 65535

	// logPattern matches every log of the daemon, including rotated ones.
	logPattern = "rdd.*.log*"
)

var nameRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Instance is an RDD instance. The zero value is not usable; see [New].
type Instance struct {
	name string
	home string // the user's home directory

	dir          string
	logDir       string
	customLogDir bool // the user chose logDir
	shortDir     string
}

// New returns the named instance; if name is empty, the one in the environment, or the
// default. It touches no file. The error for an invalid name is a [fault.Usage].
func New(name string) (*Instance, error) {
	home, homeErr := os.UserHomeDir()
	return newIn(name, home, homeErr, os.Getenv)
}

// In is [New] with the home directory and environment of another process, such as one
// that a test starts.
func In(name, home string, getenv func(string) string) (*Instance, error) {
	return newIn(name, home, nil, getenv)
}

// newIn implements both; homeErr is why home is unknown.
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
		// A relative path would give each working directory its own instance.
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

// CheckName rejects an invalid name with a [fault.Usage].
func CheckName(name string) error {
	if len(name) > maxNameLength || !nameRE.MatchString(name) {
		return fault.New(fault.Usage, "", "", fmt.Errorf(
			"invalid instance name %q: must be lower case letters, digits and inner dashes, at most %d characters", name, maxNameLength))
	}
	return nil
}

// Name returns the instance's name.
func (i *Instance) Name() string { return i.name }

// ContextName returns the name of the instance's Docker context and kubeconfig context.
func (i *Instance) ContextName() string { return ContextPrefix + i.name }

// PreferredPort returns the default port of the API server: 6443 plus the number that
// is the instance's name, or plus 100 and a hash of the name below 1000.
func (i *Instance) PreferredPort() int {
	if n, err := strconv.Atoi(i.name); err == nil && basePort+n <= maxPort {
		return basePort + n
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(i.name))
	return basePort + 100 + int(h.Sum32()%1000)
}

// Dir has the settings, the store and the secrets.
func (i *Instance) Dir() string { return i.dir }

// LogDir has the daemon's logs.
func (i *Instance) LogDir() string { return i.logDir }

// ShortDir has a short path, for sockets, whose paths have at most 104 bytes.
func (i *Instance) ShortDir() string { return i.shortDir }

// ArgsFile has the saved settings.
func (i *Instance) ArgsFile() string { return filepath.Join(i.dir, "args.json") }

// ConfigFile is the kubeconfig.
func (i *Instance) ConfigFile() string { return filepath.Join(i.dir, "kubeconfig.yaml") }

// StoreFile is the SQLite database of the API server.
func (i *Instance) StoreFile() string { return filepath.Join(i.dir, "store.db") }

// DatastoreSocket connects the daemon to the process for a database.
func (i *Instance) DatastoreSocket() string { return filepath.Join(i.shortDir, "datastore.sock") }

// CacheDir is kubectl's cache of the API.
func (i *Instance) CacheDir() string { return filepath.Join(i.dir, "cache") }

// PIDFile has the process ID of the daemon, in decimal.
func (i *Instance) PIDFile() string { return filepath.Join(i.dir, "rdd.pid") }

// TLSDir has certificates, keys and tokens.
func (i *Instance) TLSDir() string { return filepath.Join(i.dir, "tls") }

// LimaHome is LIMA_HOME for the instance's virtual machines.
func (i *Instance) LimaHome() string { return filepath.Join(i.shortDir, "lima") }

// BinDir has the instance's own programs. It is first in the PATH of programs that `rdd
// run` starts.
func (i *Instance) BinDir() string { return filepath.Join(i.shortDir, "bin") }

// DockerSocket is the host's end of the virtual machine's Docker socket.
func (i *Instance) DockerSocket() string { return i.EngineSocket("docker.sock") }

// EngineSocket is the host's end of the socket of an engine in the virtual machine. Each
// type of engine has a file name.
func (i *Instance) EngineSocket(name string) string { return filepath.Join(i.shortDir, name) }

// StdoutLog is the standard output of the daemon's process, usually empty.
func (i *Instance) StdoutLog() string { return filepath.Join(i.logDir, "rdd.stdout.log") }

// StderrLog is the daemon's current log.
func (i *Instance) StderrLog() string { return filepath.Join(i.logDir, "rdd.stderr.log") }

// ContextMemory records how to undo the instance's changes of Docker contexts.
func (i *Instance) ContextMemory() string { return filepath.Join(i.dir, "docker-context.json") }

// VisitFile exists while the running daemon was started for one command only.
func (i *Instance) VisitFile() string { return filepath.Join(i.dir, "daemon.visit") }

func (i *Instance) stateFile() string { return filepath.Join(i.dir, "daemon.json") }

// LockFile is locked by the daemon while it is running.
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

// Exists reports whether the instance exists: its settings do.
func (i *Instance) Exists() (bool, error) {
	_, err := os.Stat(i.ArgsFile())
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// Require returns an error that lists the existing instances if this one does not
// exist. It touches no file.
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

// beside lists the existing instances, for an error.
func (i *Instance) beside() string {
	switch names := i.names(); len(names) {
	case 0:
		return "no instance exists"
	case 1:
		return "the only instance is " + names[0]
	default:
		return "the instances are " + strings.Join(names, ", ")
	}
}

// Names returns the sorted names of the existing instances.
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

// names returns the names of the instances with directories beside this one's.
func (i *Instance) names() (names []string) {
	parent := filepath.Dir(i.dir)
	dirs, _ := os.ReadDir(parent) // an unreadable directory has no names
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
