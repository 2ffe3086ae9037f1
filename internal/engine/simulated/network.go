// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// defaultNetworkDriver is that of networks that say nothing else, as in Docker.
const defaultNetworkDriver = "bridge"

func completeNetwork(network *containersv1alpha1.NetworkStatus) error {
	switch {
	case network.Name == "":
		return errors.New(": needs a name")
	case len(network.Conditions) > 0:
		return errors.New(".conditions: they are RDD's own")
	}
	network.ID = cmp.Or(network.ID, hashed(network.Name))
	network.Driver = cmp.Or(network.Driver, defaultNetworkDriver)
	network.Scope = cmp.Or(network.Scope, "local")
	wholeSeconds(network.CreatedAt)
	return nil
}

// networkRefusal says why a network can't be removed, in Docker's words; it is empty
// if it can.
func (w world) networkRefusal(network *containersv1alpha1.NetworkStatus) string {
	if slices.Contains([]string{"bridge", "host", "none"}, network.Name) {
		return network.Name + " is a pre-defined network and cannot be removed"
	}
	user := w.user(func(c *containersv1alpha1.ContainerStatus) bool {
		return (c.Status == containersv1alpha1.PhaseRunning || c.Status == containersv1alpha1.PhasePaused) &&
			slices.ContainsFunc(c.Networks, func(n containersv1alpha1.NetworkAttachment) bool { return n.Name == network.Name })
	})
	if user == "" {
		return ""
	}
	return fmt.Sprintf("error while removing network: network %s has active endpoints (container:%q)", network.Name, user)
}
