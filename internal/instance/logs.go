// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

const (
	// KeepLogsEnv keeps every log for good, also when the instance is deleted.
	KeepLogsEnv = "RDD_KEEP_LOGS"

	keptLogs = 5 // besides the current one

	lastLines = 4 << 20 // bytes at the end of a log, in which a crash leaves a stack for each goroutine
)

// KeepLogs reports whether the user wants to keep all logs.
func KeepLogs() bool { return os.Getenv(KeepLogsEnv) != "" }

// OpenLogs rotates the daemon's logs and opens new ones. The caller holds the
// start lock or the daemon's.
func (i *Instance) OpenLogs() (stdout, stderr *os.File, err error) {
	open := func(path string) *os.File {
		if err != nil {
			return nil
		}
		if err = rotate(path); err != nil {
			return nil
		}
		var file *os.File
		file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, fileMode)
		return file
	}
	stdout, stderr = open(i.StdoutLog()), open(i.StderrLog())
	if err != nil {
		if stdout != nil {
			_ = stdout.Close()
		}
		return nil, nil, fault.New(fault.Failed, "open the logs in", i.logDir, err)
	}
	return stdout, stderr, nil
}

// RotateLog moves a log out of the way of a new one, and keeps it as the daemon's
// are kept.
func RotateLog(path string) error { return rotate(path) }

// rotate moves path to path.1, that to path.2, and so on, and drops the oldest.
func rotate(path string) error {
	last := keptLogs
	if KeepLogs() {
		for last = 1; exists(fmt.Sprintf("%s.%d", path, last)); last++ {
			continue
		}
	}
	for n := last; n > 0; n-- {
		from := path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", path, n-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// LastWords returns why the daemon ended, by its log: the last line, or, if that is of
// the stacks that a crash leaves, what crashed it. It is empty if there is no line.
func (i *Instance) LastWords() string {
	tail := i.logTail()
	last := tail[strings.LastIndexByte(tail, '\n')+1:]
	if !strings.HasPrefix(last, fault.Prefix) {
		if reason := process.CrashReason(tail); reason != "" {
			return reason
		}
	}
	return last
}

// logTail returns the end of the daemon's log.
func (i *Instance) logTail() string {
	file, err := os.Open(i.StderrLog())
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	tail := make([]byte, min(size, lastLines))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return strings.TrimSpace(string(tail))
}
