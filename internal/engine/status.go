// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"net"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// ComposeProjectLabel is set by Docker Compose on the containers that it creates
// (https://docs.docker.com/compose/).
const ComposeProjectLabel = "com.docker.compose.project"

// Condition returns a condition of a container in the phase. The caller sets the
// transition time.
func Condition(kind string, value bool, phase containersv1alpha1.Phase) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: "Unknown"}
	if value {
		c.Status = metav1.ConditionTrue
	}
	if phase != "" {
		c.Reason = strings.ToUpper(string(phase[:1])) + string(phase[1:])
	}
	return c
}

// maxPortSummary bounds a summary of ports, in bytes: it is a cell of a table.
const maxPortSummary = 1 << 10

// PortSummary formats ports as `docker ps` does. Ports that do not fit are counted.
func PortSummary(ports []containersv1alpha1.Port) string {
	const more = ", … (%d more)"
	var summary strings.Builder
	left := 0
	add := func(part string) {
		if left > 0 || summary.Len()+len(", ")+len(part) > maxPortSummary-len(more)-len("65535") {
			left++
			return
		}
		if summary.Len() > 0 {
			summary.WriteString(", ")
		}
		summary.WriteString(part)
	}
	for _, port := range ports {
		if len(port.Bindings) == 0 {
			add(port.Name)
		}
		for _, binding := range port.Bindings {
			add(net.JoinHostPort(binding.HostIP, binding.HostPort) + "->" + port.Name)
		}
	}
	if left > 0 {
		return strings.TrimPrefix(summary.String()+fmt.Sprintf(more, left), ", ")
	}
	return summary.String()
}
