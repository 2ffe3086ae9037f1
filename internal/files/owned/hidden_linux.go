// SPDX-License-Identifier: Apache-2.0

package owned

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// wholeMap is the map of a user namespace with all users (user_namespaces(7)).
const wholeMap = "0 0 4294967295"

// hiddenRoot returns the user ID that this process sees for users without an ID in its
// user namespace, such as the machine's root, the owner of / and /home; -1 if all users
// have one.
var hiddenRoot = sync.OnceValue(func() int {
	mapped, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Join(strings.Fields(string(mapped)), " ") == wholeMap {
		return -1
	}
	overflow, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return -1
	}
	uid, err := strconv.Atoi(strings.TrimSpace(string(overflow)))
	if err != nil {
		return -1
	}
	return uid
})
