// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// kubeconfigMode is of files with the administrator's token.
const kubeconfigMode = 0o600

func (e *env) configCommand() *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print a kubeconfig, or write it to a file",
		Long: `Print a kubeconfig for this instance, or write it to a file that only you can read.
The daemon is started if needed. A kubeconfig has the administrator's token: a shell
that redirects the output makes a file that other users can read, --file does not.
Clients that run as you can use the instance's own, which is always up to date:
` + "`rdd service paths config`" + ` says where it is.`,
		Example: `  rdd service config --file ~/.kube/rdd.yaml`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("file") {
				inst, err := e.Instance()
				if err != nil {
					return err
				}
				if err := checkKubeconfigFile(inst, file); err != nil {
					return err
				}
			}
			data, err := e.kubeconfig(cmd.Context())
			if err != nil {
				return err
			}
			if file == "" {
				_, err = e.Stdout.Write(data)
				return err
			}
			if err := atomicfile.Write(file, data, kubeconfigMode); err != nil {
				return fault.New(fault.Failed, "write the kubeconfig to", file, err)
			}
			e.Say("The kubeconfig is in %s.", file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "write the kubeconfig to this `file`, which only you can read, and replace what is in it")
	return cmd
}

// checkKubeconfigFile refuses, before anything is started, a path at which no file can
// be made or replaced. What a link leads to may be others' to read.
func checkKubeconfigFile(inst *instance.Instance, path string) error {
	switch {
	case path == "":
		return command.Usage("--file must not be empty")
	case path == "-":
		return command.Usage("--file: %q is no file; without --file the kubeconfig is printed", path)
	case isOfInstance(inst, path):
		return command.Usage("--file: %q is a file of the instance itself: name another one", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(path)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return command.Usage("--file: there is no directory %q", dir)
		}
		return nil
	case err != nil:
		return command.Usage("--file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return command.Usage("--file: %q is a symbolic link: name the file itself, or remove the link", path)
	case info.IsDir():
		return command.Usage("--file: %q is a directory: name a file in it", path)
	case !info.Mode().IsRegular():
		return command.Usage("--file: %q is not a regular file", path)
	}
	return nil
}

// isOfInstance reports whether a path is in a directory of the instance.
func isOfInstance(inst *instance.Instance, path string) bool {
	resolve := func(dir string) string {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			dir = resolved
		}
		if absolute, err := filepath.Abs(dir); err == nil {
			dir = absolute
		}
		return dir
	}
	at := resolve(filepath.Dir(path))
	return slices.ContainsFunc(inst.Written(), func(dir string) bool {
		below, err := filepath.Rel(resolve(dir), at)
		return err == nil && filepath.IsLocal(below)
	})
}

// kubeconfig returns the instance's kubeconfig, for a daemon that is ready.
func (e *env) kubeconfig(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p := newProgress(e.Messages())
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return nil, err
	}
	if _, err := svc.EnsureReady(ctx); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(svc.Instance.ConfigFile())
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return data, nil
}
