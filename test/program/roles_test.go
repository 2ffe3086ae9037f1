// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestOperate: a holder of the role operate acts on containers that exist. What
// makes its maker the user who runs RDD is refused: see
// docs/design/decisions/security.md.
func TestOperate(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 0)
	ids := engine.AddContainers(2, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.ok("ctl", "create", "clusterrolebinding", "operators", "--clusterrole=operate", "--user=bob")
	as := func(args ...string) []string {
		return append([]string{"ctl", "--as=bob", "--as-group=system:authenticated"}, args...)
	}

	for _, refused := range []string{
		"create containerengines.containers.rancherdesktop.io", "patch containerengines", "patch containerengines --subresource=status", "create limavms", "create configmaps", "patch configmaps",
		"get secrets", "create serviceaccounts --subresource=token", "patch apps", "create imagepullrequests", "delete images", "delete volumes", "create containers", "patch containers --subresource=status",
		"get /passthrough/engine/exec/x", "create /passthrough/engine/exec/x", "get /metrics", "create clusterrolebindings", "impersonate users",
	} {
		if got := h.run(as(append([]string{"auth", "can-i", "-A"}, strings.Fields(refused)...)...)...); got.code != 1 || strings.TrimSpace(got.stdout) != "no" {
			t.Errorf("may %s: exit code %d, %s%s", refused, got.code, got.stdout, got.stderr)
		}
	}
	for _, allowed := range []string{"watch containers", "patch containers", "delete containers", "list images", "get containerengines", "get /passthrough/engine/logs/x"} {
		h.ok(as(append([]string{"auth", "can-i", "-A"}, strings.Fields(allowed)...)...)...)
	}

	h.ok(as("patch", "container", ids[0], "--type=merge", "-p", `{"spec":{"state":"exited"}}`)...)
	h.eventually("the engine stopped the container", func() (bool, string) {
		status := h.ok("ctl", "get", "container", ids[0], "-o", "jsonpath={.status.status}")
		return status == "exited", status
	})
	h.ok(as("delete", "container", ids[1])...)
	h.fails(3, []string{"forbidden"}, as("annotate", "containerengine", "moby", "a=b")...)
}
