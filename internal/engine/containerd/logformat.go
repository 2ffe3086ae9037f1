// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"encoding/json"
	"strings"
)

// logEntry is the container's output in a line of a log file.
type logEntry struct {
	stream string // stdout or stderr
	text   []byte
	// partial is whether the line continues in the stream's next entry.
	partial bool
}

// parseJSONLog reads a line of Docker's json-file, which nerdctl writes too.
func parseJSONLog(line []byte) (logEntry, bool) {
	var entry struct {
		Log    string `json:"log"`
		Stream string `json:"stream"`
	}
	if json.Unmarshal(line, &entry) != nil {
		return logEntry{}, false
	}
	return logEntry{entry.Stream, []byte(entry.Log), !strings.HasSuffix(entry.Log, "\n")}, true
}

// parseCRILog reads a line as the CRI plugin writes it: time, stream, F or P,
// text; P is for a part of a line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
func parseCRILog(line []byte) (logEntry, bool) {
	fields := bytes.SplitN(line, []byte(" "), 4)
	if len(fields) < 4 {
		return logEntry{}, false
	}
	if bytes.HasPrefix(fields[2], []byte("P")) {
		return logEntry{string(fields[1]), bytes.TrimSuffix(fields[3], []byte("\n")), true}, true
	}
	return logEntry{string(fields[1]), fields[3], false}, true
}
