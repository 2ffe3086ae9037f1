// SPDX-License-Identifier: Apache-2.0

package execve

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// Exec runs the program at path, and returns its exit code, or an [*Error]. An
// interrupt at the console reaches the program too, and only the program handles it.
func Exec(path string, args, environ []string) (exitCode int, err error) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	cmd := &exec.Cmd{Path: path, Args: args, Env: environ, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, failed(path, err)
}
