// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	logPoll = 100 * time.Millisecond

	logBlock = 64 << 10 // bytes read at once when searching for the last lines
)

func (e *env) logCommand() *cobra.Command {
	var follow, stdout bool
	tail := -1
	cmd := &cobra.Command{
		Use:     "log",
		Aliases: []string{"logs"},
		Short:   "Print the daemon's log",
		Example: `  rdd service log --follow --tail 20`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			path := inst.StderrLog()
			if stdout {
				path = inst.StdoutLog()
			}
			err = printLog(cmd.Context(), e.Stdout, path, tail, follow)
			if errors.Is(err, os.ErrNotExist) {
				return fault.New(fault.Failed, "read the log", filepath.Clean(path), errors.New("it does not exist yet"))
			}
			return owned.Explain(path, err)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", follow, "follow the log output")
	cmd.Flags().BoolVar(&stdout, "stdout", stdout, "print the daemon's standard output instead of its log")
	cmd.Flags().IntVar(&tail, "tail", tail, "`number` of lines to print from the end of the log; -1 for all")
	return cmd
}

// printLog prints the last lines of the file, all if tail is negative. If follow is set,
// it then prints the lines that are added, until ctx ends. When the file is replaced, as
// at the start of a daemon, it continues with the beginning of the new file.
func printLog(ctx context.Context, w io.Writer, path string, tail int, follow bool) error {
	file, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if tail >= 0 {
		if err := seekLines(file, tail); err != nil {
			return err
		}
	}
	for {
		if _, err := io.Copy(w, file); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(logPoll):
		}
		replaced, err := reopened(file, path)
		if err != nil {
			return err
		}
		if replaced != nil {
			if _, err := io.Copy(w, file); err != nil {
				return err
			}
			_ = file.Close()
			file = replaced
		}
	}
}

// reopened opens the file at path if it is not the open one; else it returns nil.
func reopened(file *os.File, path string) (*os.File, error) {
	open, err := file.Stat()
	if err != nil {
		return nil, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // during a rotation
	}
	if err != nil || os.SameFile(open, named) {
		return nil, err
	}
	return regular.Open(path)
}

// seekLines sets the file's offset to the beginning of its last lines.
func seekLines(file *os.File, lines int) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || lines == 0 {
		return err
	}
	block := make([]byte, logBlock)
	for end := size; end > 0; {
		start := max(0, end-logBlock)
		text := block[:end-start]
		if _, err := file.ReadAt(text, start); err != nil {
			return err
		}
		for i := bytes.LastIndexByte(text, '\n'); i >= 0; i = bytes.LastIndexByte(text[:i], '\n') {
			after := start + int64(i) + 1
			if after == size {
				continue // the end of the last line
			}
			if lines--; lines == 0 {
				_, err := file.Seek(after, io.SeekStart)
				return err
			}
		}
		end = start
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}
