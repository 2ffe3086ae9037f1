// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// turns has the mirror do so many other things, one after another, none of which
// calls the routes. What it would do in a loop it would do in between.
func (e *env) turns(engine *fakedocker.Server, count int, routes ...string) {
	e.t.Helper()
	volumes := !slices.ContainsFunc(routes, func(route string) bool { return strings.Contains(route, "/volumes") })
	began := time.Now().UnixNano()
	for i := range count {
		name := fmt.Sprintf("turn-%d-%d", began, i)
		if volumes {
			engine.AddVolume(name)
		} else {
			engine.AddImage(name + ":1")
		}
		e.eventually(name+" is mirrored", func() (bool, string) {
			for object, side := range e.mirrorSide("moby") {
				if strings.Contains(object, name) || strings.Contains(fmt.Sprint(side), name) {
					return true, ""
				}
			}
			return false, ""
		})
	}
}
