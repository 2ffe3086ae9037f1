// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

const (
	// KeepLogsEnv keeps every log, even when the instance is deleted.
	KeepLogsEnv = "RDD_KEEP_LOGS"

	keptLogs = 5 // besides the current one

	lastLines = 4 << 20 // bytes at the end of a log, in which a crash leaves a stack for each goroutine
)

// KeepLogs reports whether the user wants to keep all logs.
func KeepLogs() bool { return os.Getenv(KeepLogsEnv) != "" }

// OpenLogs rotates the daemon's logs and opens new ones. The caller holds the
// start lock or the daemon's.
func (i *Instance) OpenLogs() (stdout, stderr *os.File, err error) {
	stdout, err = NewLog(i.StdoutLog())
	if err == nil {
		stderr, err = NewLog(i.StderrLog())
	}
	if err != nil {
		if stdout != nil {
			_ = stdout.Close()
		}
		return nil, nil, fault.New(fault.Failed, "open the logs in", i.logDir, err)
	}
	return stdout, stderr, nil
}

// NewLog opens a new log, and rotates older ones like the daemon's. It creates the
// directory if it is missing; other users may share it.
func NewLog(path string) (*os.File, error) {
	return openLog(path, 0, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC)
}

// ContinueLog opens a log for appending, and starts a new one at size bytes.
func ContinueLog(path string, size int64) (*os.File, error) {
	return openLog(path, size, os.O_CREATE|os.O_RDWR|os.O_APPEND)
}

// openLog opens a log, and starts a new one if it has size bytes or more.
func openLog(path string, size int64, flag int) (*os.File, error) {
	d, err := owned.MakeShared(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	name := filepath.Base(path)
	// Open it before moving it: another user's log can't be moved, and the error says
	// why.
	before, err := d.OpenFile(name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return d.OpenFile(name, flag)
	}
	if err != nil {
		return nil, owned.Explain(path, err)
	}
	info, err := before.Stat()
	_ = before.Close()
	if err == nil && info.Size() >= size {
		err = rotate(d, name)
	}
	if err != nil {
		return nil, err
	}
	return d.OpenFile(name, flag)
}

// rotate moves name to name.1, name.1 to name.2, and so on, and deletes the oldest.
func rotate(d *owned.Dir, name string) error {
	last := keptLogs
	if KeepLogs() {
		for last = 1; d.Exists(fmt.Sprintf("%s.%d", name, last)); last++ {
			continue
		}
	}
	for n := last; n > 0; n-- {
		from := name
		if n > 1 {
			from = fmt.Sprintf("%s.%d", name, n-1)
		}
		if err := d.Rename(from, fmt.Sprintf("%s.%d", name, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// LastWords returns the end of the daemon's log, for a user: the last line, or the panic
// if the log ends with a crash's stack traces. It is empty if there is no line.
func (i *Instance) LastWords() string {
	tail := i.logTail()
	last := tail[strings.LastIndexByte(tail, '\n')+1:]
	var message struct {
		Text string `json:"msg"`
		Code int    `json:"exit-code"`
	}
	if json.Unmarshal([]byte(last), &message) == nil && message.Code != 0 { // the log is JSON
		return message.Text
	}
	if reason := process.CrashReason(tail); reason != "" && !strings.HasPrefix(last, fault.Prefix) {
		return reason
	}
	return strings.TrimPrefix(last, fault.Prefix)
}

// logTail returns the end of the daemon's log.
func (i *Instance) logTail() string {
	file, err := regular.Open(i.StderrLog())
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
