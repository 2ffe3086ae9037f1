// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/distribution/reference"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// defaultNamespace is where everything is that says nothing else, in a file
// that lists no namespaces. containerd has the same one.
const defaultNamespace = "default"

// defaultDriver keeps volumes that say nothing else, as in Docker.
const defaultDriver = "local"

// complete gives what the file leaves out its value. An error says what must
// not be left out, or be as it is.
func (c *contents) complete() error {
	if err := c.completeNamespaces(); err != nil {
		return err
	}
	for i := range c.Images {
		if err := completeImage(&c.Images[i]); err != nil {
			return fmt.Errorf("images[%d]%w", i, err)
		}
	}
	for i := range c.Volumes {
		if err := completeVolume(&c.Volumes[i]); err != nil {
			return fmt.Errorf("volumes[%d]%w", i, err)
		}
	}
	for i := range c.Networks {
		if err := completeNetwork(&c.Networks[i]); err != nil {
			return fmt.Errorf("networks[%d]%w", i, err)
		}
	}
	for i := range c.Containers {
		if err := c.completeContainer(&c.Containers[i]); err != nil {
			return fmt.Errorf("containers[%d]%w", i, err)
		}
	}
	return nil
}

func (c *contents) completeNamespaces() error {
	listed := len(c.Namespaces) > 0
	first := defaultNamespace
	if listed {
		first = c.Namespaces[0].Name
	}
	used := map[string]string{} // by whom
	use := func(namespace *string, kind string, i int) {
		*namespace = cmp.Or(*namespace, first)
		used[*namespace] = fmt.Sprintf("%s[%d]", kind, i)
	}
	for i := range c.Images {
		use(&c.Images[i].Namespace, "images", i)
	}
	for i := range c.Volumes {
		use(&c.Volumes[i].Namespace, "volumes", i)
	}
	for i := range c.Networks {
		use(&c.Networks[i].Namespace, "networks", i)
	}
	for i := range c.Containers {
		use(&c.Containers[i].Namespace, "containers", i)
	}
	if len(used) == 0 && !listed {
		used[first] = ""
	}
	for name, user := range used {
		known := slices.ContainsFunc(c.Namespaces, func(n containersv1alpha1.ContainerNamespaceStatus) bool { return n.Name == name })
		switch {
		case known:
		case listed:
			return fmt.Errorf("%s.namespace: %q is not in the list of namespaces", user, name)
		default:
			c.Namespaces = append(c.Namespaces, containersv1alpha1.ContainerNamespaceStatus{Name: name})
		}
	}
	for i, n := range c.Namespaces {
		if errs := validation.IsDNS1123Subdomain(n.Name); len(errs) > 0 {
			return fmt.Errorf("namespaces[%d].name: %q: %s", i, n.Name, errs[0])
		}
		if len(n.Conditions) > 0 {
			return fmt.Errorf("namespaces[%d].conditions: they are RDD's own", i)
		}
	}
	return nil
}

func completeImage(image *containersv1alpha1.ImageStatus) error {
	if image.RepoTag != "" {
		tag, ok := familiar(image.RepoTag)
		if !ok {
			return fmt.Errorf(".repoTag: %q is no name with a tag, as in nginx:latest", image.RepoTag)
		}
		image.RepoTag = tag
		image.ID = cmp.Or(image.ID, imageID(tag))
	}
	switch {
	case image.ID == "":
		return errors.New(": needs a repoTag or an id")
	case len(image.Conditions) > 0:
		return errors.New(".conditions: they are RDD's own")
	}
	slices.Sort(image.RepoDigests)
	wholeSeconds(image.CreatedAt)
	return nil
}

func completeVolume(volume *containersv1alpha1.VolumeStatus) error {
	switch {
	case volume.Name == "":
		return errors.New(": needs a name")
	case len(volume.Conditions) > 0:
		return errors.New(".conditions: they are RDD's own")
	}
	volume.Driver = cmp.Or(volume.Driver, defaultDriver)
	volume.Scope = cmp.Or(volume.Scope, "local")
	wholeSeconds(volume.CreatedAt)
	return nil
}

func (c *contents) completeContainer(container *containerEntry) error {
	switch {
	case container.Name == "":
		return errors.New(": needs a name")
	case container.Image == "" && container.ImageName == "":
		return errors.New(": needs an imageName")
	case container.LastAction != nil:
		return errors.New(".lastAction: it is RDD's own")
	}
	container.ID = cmp.Or(container.ID, hashed(container.Name))
	container.Image = cmp.Or(container.Image, c.imageOf(container.ImageName))
	container.Status = cmp.Or(container.Status, containersv1alpha1.PhaseRunning)
	if err := checkPhase(container.Status); err != nil {
		return err
	}
	container.ComposeProject = cmp.Or(container.ComposeProject, container.Labels[engine.ComposeProjectLabel])
	container.PortSummary = engine.PortSummary(container.Ports)
	wholeSeconds(container.CreatedAt)
	wholeSeconds(container.StartedAt)
	wholeSeconds(container.FinishedAt)
	return errors.Join(
		unique(".ports", container.Ports, "name", func(p containersv1alpha1.Port) string { return p.Name }),
		unique(".mounts", container.Mounts, "destination", func(m containersv1alpha1.Mount) string { return m.Destination }),
		unique(".networks", container.Networks, "name", func(n containersv1alpha1.NetworkAttachment) string { return n.Name }),
		completeConditions(&container.ContainerStatus),
	)
}

func checkPhase(phase containersv1alpha1.Phase) error {
	switch phase {
	case containersv1alpha1.PhaseCreated, containersv1alpha1.PhaseRunning, containersv1alpha1.PhasePaused,
		containersv1alpha1.PhaseRestarting, containersv1alpha1.PhaseRemoving, containersv1alpha1.PhaseExited, containersv1alpha1.PhaseDead:
		return nil
	}
	return fmt.Errorf(".status: %q is none of created, running, paused, restarting, removing, exited, dead", phase)
}

// completeConditions makes the conditions from the container's status. Of one
// that is in the file the status counts.
func completeConditions(status *containersv1alpha1.ContainerStatus) error {
	phase := status.Status
	given := status.Conditions
	status.Conditions = nil
	for _, condition := range []struct {
		kind  string
		value bool
	}{
		{containersv1alpha1.ConditionRunning, phase == containersv1alpha1.PhaseRunning || phase == containersv1alpha1.PhasePaused || phase == containersv1alpha1.PhaseRestarting},
		{containersv1alpha1.ConditionPaused, phase == containersv1alpha1.PhasePaused},
		{containersv1alpha1.ConditionRestarting, phase == containersv1alpha1.PhaseRestarting},
		{containersv1alpha1.ConditionOOMKilled, false},
		{containersv1alpha1.ConditionDead, phase == containersv1alpha1.PhaseDead},
	} {
		status.Conditions = append(status.Conditions, engine.Condition(condition.kind, condition.value, phase))
	}
	for i, condition := range given {
		known := apimeta.FindStatusCondition(status.Conditions, condition.Type)
		switch {
		case known == nil:
			return fmt.Errorf(".conditions[%d].type: %q is no condition that an engine has", i, condition.Type)
		case condition.Status != metav1.ConditionTrue && condition.Status != metav1.ConditionFalse:
			return fmt.Errorf(".conditions[%d].status: must be \"True\" or \"False\"", i)
		}
		known.Status = condition.Status
	}
	return nil
}

// imageOf returns the ID of the image that a name stands for, which need not be
// in the file.
func (c *contents) imageOf(name string) string {
	tag, tagged := familiar(name)
	if !tagged {
		tag = name
	}
	for i := range c.Images {
		if c.Images[i].RepoTag == tag || c.Images[i].ID == name {
			return c.Images[i].ID
		}
	}
	return imageID(tag)
}

// familiar returns a name and a tag as Docker lists them: nginx:latest for
// docker.io/library/nginx.
func familiar(name string) (string, bool) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", false
	}
	tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
	if !ok {
		return "", false
	}
	return reference.FamiliarString(tagged), true
}

func imageID(tag string) string { return "sha256:" + hashed(tag) }

func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// wholeSeconds leaves of a time what objects keep.
func wholeSeconds(t *metav1.Time) {
	if t != nil {
		t.Time = t.Truncate(time.Second).UTC()
	}
}
