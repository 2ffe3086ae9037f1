// SPDX-License-Identifier: Apache-2.0

package traits

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// Containerd returns the traits of containerd. It removes the name of an image in use,
// and keeps the image for its containers.
func Containerd() engine.Traits {
	return engine.Traits{
		Type:      containersv1alpha1.EngineContainerd,
		Schemes:   []endpoint.Scheme{endpoint.Unix, endpoint.NPipe},
		KeepsUsed: []engine.Kind{engine.KindNamespace},
		Socket:    "containerd.sock",
		Places: []engine.Place{
			{Base: engine.Root, Path: "run/containerd/containerd.sock"},
			{Base: engine.RuntimeDir, Path: "containerd/containerd.sock"},
		},
		Pipes:   []string{"containerd-containerd"},
		Service: "containerd",
		Commands: engine.Commands{
			Version: "{sudo}ctr --address {path} version",
			Kill:    "sudo ctr task kill --signal SIGKILL",
			Usage:   "`sudo ctr namespaces ls` and `sudo ctr -n NAMESPACE images ls` show what uses it",
			Share:   "`gid` below `[grpc]` in /etc/containerd/config.toml gives the socket to a group that you are in",
		},
	}
}
