// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"encoding/json"
)

// decodeJSONLog decodes a line of Docker's json-file, which nerdctl writes too.
func decodeJSONLog(line []byte) []byte {
	var entry struct {
		Log string `json:"log"`
	}
	if json.Unmarshal(line, &entry) != nil {
		return nil
	}
	return []byte(entry.Log)
}

// decodeCRILog decodes a line as the CRI plugin writes it: time, stream, F or P,
// text; P is for a part of a line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
func decodeCRILog(line []byte) []byte {
	fields := bytes.SplitN(line, []byte(" "), 4)
	if len(fields) < 4 {
		return nil
	}
	if bytes.HasPrefix(fields[2], []byte("P")) {
		return bytes.TrimSuffix(fields[3], []byte("\n"))
	}
	return fields[3]
}
