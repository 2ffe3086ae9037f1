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

// kubeconfigMode is the mode of files with the administrator's token.
const kubeconfigMode = 0o600

func (e *env) configCommand() *cobra.Command {
	file := ""
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print a kubeconfig, or write it to a file",
		Long: `Print a kubeconfig for this instance, or write it to a file that only you can read. rdd
starts the daemon if needed. A kubeconfig contains the administrator's token: use --file,
because a file that a shell redirects the output to may be readable by other users.

Programs that you run can use the instance's own kubeconfig, which is always up to date:
` + "`rdd service paths config`" + ` prints its path.`,
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
			e.Say("Wrote the kubeconfig to %s.", file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "write the kubeconfig to this `file`, readable only by you; an existing file is replaced")
	return cmd
}

// checkKubeconfigFile refuses, before anything is started, a path at which no file can be
// created or replaced, and a symbolic link, whose target other users may read.
func checkKubeconfigFile(inst *instance.Instance, path string) error {
	switch {
	case path == "":
		return command.Usage("--file must not be empty")
	case path == "-":
		return command.Usage("--file: %q is not a file; to print the kubeconfig omit --file", path)
	case isOfInstance(inst, path):
		return command.Usage("--file: %q is in a directory of the instance: choose another path", path)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir := filepath.Dir(path)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return command.Usage("--file: directory %q not found", dir)
		}
		return nil
	case err != nil:
		return command.Usage("--file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return command.Usage("--file: %q is a symbolic link: use the path of a file, or remove the link", path)
	case info.IsDir():
		return command.Usage("--file: %q is a directory: use the path of a file", path)
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

// kubeconfig returns the instance's kubeconfig, after the daemon is ready.
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
