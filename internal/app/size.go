// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"os"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/hostinfo"
)

// CPUsEnv is the environment variable of the daemon with the default number of
// processors of a virtual machine.
const CPUsEnv = "RDD_VM_CPUS"

// leastMemory is the minimum in the CRD of the App, in bytes.
const leastMemory = 512 << 20

// host is the size of this machine.
type host struct {
	processors int
	bytes      int64 // 0 if it is not known
	getenv     func(string) string
}

func thisHost() host {
	h := host{getenv: os.Getenv}
	h.processors, h.bytes = hostinfo.Size()
	return h
}

// cpus returns the default: the environment's, else half of the processors, between 2
// and 8, but at most as many as the machine has.
func (h host) cpus() (int32, error) {
	text := h.getenv(CPUsEnv)
	if text == "" || text == "0" {
		return int32(min(max(h.processors/2, 2), 8, max(h.processors, 1))), nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s of the daemon is %q: must be a number of processors, 0 for the default", CPUsEnv, text)
	}
	return int32(n), nil
}

// memory returns the default, in bytes: a quarter of the memory, between 2 and 8 GiB,
// in whole MiB, but at most as much as the machine has.
func (h host) memory() int64 {
	const gibibyte = 1 << 30
	memory := min(max(h.bytes/4, 2*gibibyte), 8*gibibyte)
	if h.bytes > 0 {
		memory = min(memory, h.bytes)
	}
	return memory >> 20 << 20
}

// quantity returns a number of bytes with binary suffixes.
func quantity(bytes int64) *resource.Quantity { return resource.NewQuantity(bytes, resource.BinarySI) }
