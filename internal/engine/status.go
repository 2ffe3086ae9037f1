// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// ComposeProjectLabel is set by Docker Compose on the containers that it makes
// (https://docs.docker.com/compose/).
const ComposeProjectLabel = "com.docker.compose.project"

// Condition returns a condition of a container in the phase. It leaves the
// transition time to who knows the one before.
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

// PortSummary writes ports as `docker ps` does.
func PortSummary(ports []containersv1alpha1.Port) string {
	var parts []string
	for _, port := range ports {
		if len(port.Bindings) == 0 {
			parts = append(parts, port.Name)
		}
		for _, binding := range port.Bindings {
			parts = append(parts, net.JoinHostPort(binding.HostIP, binding.HostPort)+"->"+port.Name)
		}
	}
	return strings.Join(parts, ", ")
}
