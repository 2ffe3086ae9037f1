// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"fmt"
	"slices"

	"github.com/moby/moby/api/types/container"
)

// shown is what a list shows of a container, without what changes by itself. Lists are sorted: the engine has them in no order.
type shown struct {
	State, ImageID string
	Names, Ports   []string
	Labels         map[string]string
	Networks       map[string]string // address by name
	ExitCode       string
	Health         string
}

func shownOf(summary *container.Summary) shown {
	s := shown{
		State:    string(summary.State),
		ImageID:  summary.ImageID,
		Names:    slices.Sorted(slices.Values(summary.Names)),
		Labels:   summary.Labels,
		Networks: map[string]string{},
	}
	for _, port := range summary.Ports {
		s.Ports = append(s.Ports, fmt.Sprintf("%s:%d->%d/%s", port.IP, port.PublicPort, port.PrivatePort, port.Type))
	}
	slices.Sort(s.Ports)
	if summary.NetworkSettings != nil {
		for name, endpoint := range summary.NetworkSettings.Networks {
			s.Networks[name] = ""
			if endpoint != nil {
				s.Networks[name] = endpoint.IPAddress.String()
			}
		}
	}
	if match := exitedRE.FindStringSubmatch(summary.Status); match != nil {
		s.ExitCode = match[1]
	}
	if match := upRE.FindStringSubmatch(summary.Status); match != nil {
		s.Health = match[2]
	}
	return s
}

// steady returns an object of a list that is not as the API says, without the text of `docker ps`, which changes by itself.
func steady(object map[string]any) map[string]any {
	delete(object, "Status")
	return object
}
