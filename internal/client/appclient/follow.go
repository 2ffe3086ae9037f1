// SPDX-License-Identifier: Apache-2.0

package appclient

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/follow"
)

func apps() client.ObjectList    { return &appv1alpha1.AppList{} }
func engines() client.ObjectList { return &containersv1alpha1.ContainerEngineList{} }
func vms() client.ObjectList     { return &limav1alpha1.LimaVMList{} }

// follow is [follow.Source.Object].
func (c *Client) follow(ctx context.Context, list func() client.ObjectList, key client.ObjectKey, each follow.Each) error {
	return follow.Source{Connect: c.Connect, Alive: c.Alive, Progress: c.Progress}.Object(ctx, list, key, each)
}
