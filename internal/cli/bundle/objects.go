// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// objectsLimit is how long the daemon may take for all objects.
const objectsLimit = 20 * time.Second

// secretName is the name of a variable whose value is a secret.
var secretName = regexp.MustCompile(`(?i)passw|token|secret|credential|(?:api|access|private)_?key`)

// kinds are what is read. ConfigMaps and Secrets are not: templates of virtual machines
// may have anything in them.
func kinds() []schema.GroupVersionKind {
	list := []schema.GroupVersionKind{
		appv1alpha1.GroupVersion.WithKind("App"),
		limav1alpha1.GroupVersion.WithKind("LimaVM"),
		rddv1alpha1.GroupVersion.WithKind("HostInfo"),
		{Version: "v1", Kind: "Event"},
		{Version: "v1", Kind: "Namespace"},
		{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"},
	}
	for _, kind := range []string{"ContainerEngine", "ContainerNamespace", "Container", "Image", "ImagePullRequest", "Volume"} {
		list = append(list, containersv1alpha1.GroupVersion.WithKind(kind))
	}
	return list
}

// readObjects returns the objects of the daemon, if one answers, and makes what its
// Secrets hold known.
func (b *Bundle) readObjects(ctx context.Context, inst *instance.Instance) (files []File) {
	daemon, err := inst.Daemon()
	if err != nil || daemon == nil || !daemon.Ready {
		b.Missing = append(b.Missing, "objects: the daemon is not ready")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, objectsLimit)
	defer cancel()
	api, err := client.New(inst.ConfigFile())
	if err == nil {
		err = b.knowSecrets(ctx, api)
	}
	if err != nil { // without them it is not known what to take out
		b.Missing = append(b.Missing, "objects: "+err.Error())
		return nil
	}
	for _, kind := range kinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		name := "objects/" + strings.ToLower(kind.Kind) + ".yaml"
		if err := api.List(ctx, list); err != nil {
			b.Missing = append(b.Missing, name+": "+err.Error())
			continue
		}
		var text strings.Builder
		for i := range list.Items {
			data, err := yaml.Marshal(prune(list.Items[i].Object))
			if err != nil {
				continue
			}
			text.WriteString("---\n" + string(data))
		}
		files = append(files, File{Name: name, About: fmt.Sprintf("objects of the kind %s: %d", kind.Kind, len(list.Items)), data: []byte(text.String())})
	}
	return files
}

// knowSecrets makes the values of all Secrets known, as they are and as objects have
// them.
func (b *Bundle) knowSecrets(ctx context.Context, api ctrlclient.Client) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "SecretList"})
	if err := api.List(ctx, list); err != nil {
		return err
	}
	for i := range list.Items {
		data, _, _ := unstructured.NestedStringMap(list.Items[i].Object, "data")
		for _, encoded := range data {
			b.redactor.add(encoded)
			if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil {
				b.redactor.add(string(decoded))
			}
		}
	}
	return nil
}
