// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/diskroom"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance/programs"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

func (e *env) serveCommand() *cobra.Command {
	var f runFlags
	var background bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon in the foreground",
		Long: `Run the daemon in the foreground until it receives SIGINT or SIGTERM, for example under a
service manager. It logs to standard error and to the instance's log directory.`,
		Example: `  rdd service serve`,
		Args:    command.NoArgs,
		// The logger is created after the log is open.
		PersistentPreRunE: func(*cobra.Command, []string) error { return e.CheckLogging() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.check(&f); err != nil {
				return err
			}
			if err := service.CheckEnv(); err != nil {
				return err
			}
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			run := serveRun{env: e, instance: inst, background: background}
			if cmd.Flags().Changed("controllers") {
				run.controllers = &f.controllers
			}
			if cmd.Flags().Changed("secure-port") {
				run.securePort = &f.securePort
			}
			return run.serve(cmd.Context())
		},
	}
	e.addRunFlags(cmd, &f)
	cmd.Flags().BoolVar(&background, "background", false, "standard error is already the log")
	_ = cmd.Flags().MarkHidden("background")
	return cmd
}

// serveRun is one run of the daemon.
type serveRun struct {
	*env
	instance   *instance.Instance
	background bool
	// These override the saved settings; nil to keep them.
	controllers *string
	securePort  *int
}

func (r *serveRun) serve(ctx context.Context) error {
	ctx, stop := r.UntilSignal(ctx) // before other processes can find and stop this one
	defer stop()
	process.KeepFiles() // processes that outlive the daemon must not inherit its files
	if err := r.instance.MakeDirs(); err != nil {
		return err
	}
	lock, err := r.instance.LockDaemon(ctx)
	if errors.Is(err, instance.ErrRunning) {
		return fault.New(fault.Failed, "serve instance", r.instance.Name(), err)
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	closeLog, err := r.openLog()
	if err != nil {
		return err
	}
	defer closeLog()
	if err := r.run(ctx); err != nil {
		stop() // a library's fatal error is only a detail from here on
		return &command.ExitError{Code: r.lastWord(err)}
	}
	return nil
}

// lastWord writes why the daemon failed, as the last line of the log and into its state
// file, and returns the exit code. The daemon holds its lock: a process that finds the lock
// free reads that file. If it can't be written the log has the reason.
func (r *serveRun) lastWord(err error) int {
	err = diskroom.Explain(err, r.instance.Written()...)
	line := strings.ReplaceAll(err.Error(), "\n", "; ")
	code := r.Exit(fault.New(fault.KindOf(err), "", "", errors.New(line)))
	_ = r.instance.Fail(instance.Failure{Kind: instance.Failed, Message: line, ExitCode: code})
	return code
}

// dying is lastWord for a library that ends the daemon. If a disk is full, that is the
// reason.
func (r *serveRun) dying(reason error) int {
	if dir := diskroom.Find(r.instance.Written()...); dir != "" {
		reason = &diskroom.FullError{Dir: dir, Reason: reason.Error()}
	}
	return r.lastWord(reason)
}

// run is the daemon. The caller holds its lock.
func (r *serveRun) run(ctx context.Context) error {
	r.Dying = r.dying
	settings, err := r.settings()
	if err != nil {
		return err
	}
	if r.Logging.Level == "" && os.Getenv(logging.LevelEnv) == "" {
		r.Logging.Level = settings.LogLevel
	}
	log, err := r.Logger()
	if err != nil {
		return err
	}
	if err := r.linkPrograms(); err != nil {
		log.Warn("linking programs failed", "directory", r.instance.BinDir(), "error", err)
	}
	controllers, err := r.registry.Select(settings.Controllers)
	if err != nil {
		return fault.New(fault.Failed, "select the controllers", settings.Controllers, err)
	}
	notifySocket := daemon.TakeNotifySocket()
	if r.background {
		notifySocket = "" // it belongs to the parent of the starting process
	}
	return daemon.Run(ctx, daemon.Config{
		Instance:     r.instance,
		Controllers:  controllers,
		Selection:    settings.Controllers,
		All:          r.registry,
		SecurePort:   settings.SecurePort,
		Datastore:    settings.Datastore,
		NotifySocket: notifySocket,
		Log:          log,
	})
}

// linkPrograms keeps the links in the instance's directory of programs.
func (r *serveRun) linkPrograms() error {
	dir, err := owned.Make(r.instance.BinDir())
	if err != nil {
		return err
	}
	dir.Close()
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	if executable, err = filepath.EvalSymlinks(executable); err != nil {
		return err
	}
	links := programs.Config{Dir: r.instance.BinDir(), Executable: executable, Path: os.Getenv("PATH")}
	if config, err := dockercontext.Dir(os.Getenv); err == nil {
		links.Plugins = programs.PluginDirs(config)
	}
	return links.Link()
}

// settings returns the saved settings with the overrides of this run. It saves the
// defaults if there are none.
func (r *serveRun) settings() (instance.Settings, error) {
	settings, err := r.instance.LoadSettings()
	if errors.Is(err, os.ErrNotExist) {
		settings = service.DefaultSettings()
		settings.Created = time.Now().UTC().Truncate(time.Second)
		err = r.instance.SaveSettings(settings)
	}
	if r.controllers != nil {
		settings.Controllers = *r.controllers
	}
	if r.securePort != nil {
		settings.SecurePort = *r.securePort
	}
	if err != nil {
		return settings, err
	}
	settings.Datastore = datastore.InForce(settings.Datastore)
	datastore.ForgetEnv()
	return settings, nil
}

// openLog copies standard error to the daemon's log.
func (r *serveRun) openLog() (closeLog func(), err error) {
	if r.background {
		return func() {}, nil
	}
	stdout, stderr, err := r.instance.OpenLogs()
	if err != nil {
		return nil, err
	}
	terminal := r.Stderr
	r.Stderr = io.MultiWriter(terminal, stderr)
	return func() {
		r.Stderr = terminal
		_, _ = stdout.Close(), stderr.Close()
	}, nil
}
