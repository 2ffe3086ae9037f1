// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// twins looks for engines that several ContainerEngines are connected to. It returns
// each but the oldest: those of the oldest's namespace, where their mirrors have the
// same names, or the others.
func (o *Observed) twins(inNamespace bool) []evidence {
	var all []evidence
	first := map[string][]*containersv1alpha1.ContainerEngine{} // by ID, which several engines may have
	for _, e := range byAge(o.Engines) {
		if !mirrors(e) {
			continue
		}
		id := e.Status.EngineID
		i := slices.IndexFunc(first[id], func(other *containersv1alpha1.ContainerEngine) bool { return sameEngine(other, e) })
		if i < 0 {
			first[id] = append(first[id], e)
			continue
		}
		other := first[id][i]
		if (e.Namespace == other.Namespace) != inNamespace {
			continue
		}
		message := fmt.Sprintf("%s is the same engine (%s), at %s and at %s: their mirrors would have the same names, so only one of them can have mirrors",
			subjectOf(other), id, other.Spec.Endpoint, e.Spec.Endpoint)
		all = append(all, evidence{subject: subjectOf(e), state: key(other).String(),
			args: arguments{"other", subjectOf(other).String(), "id", id, "namespace", e.Namespace, "name", e.Name, "error", message}})
	}
	return all
}

// sameEngine reports whether two ContainerEngines with one engine ID are connected
// to one engine. A copied disk has the same ID in its file; then the host name or
// the directory differs. Empty values never differ.
func sameEngine(a, b *containersv1alpha1.ContainerEngine) bool {
	same := func(x, y string) bool { return x == "" || y == "" || x == y }
	return same(a.Status.HostName, b.Status.HostName) && same(a.Status.RootDir, b.Status.RootDir)
}

// mirrors reports whether the engine in the status has mirrors.
func mirrors(e *containersv1alpha1.ContainerEngine) bool {
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	return e.ShouldRun() && e.Status.EngineID != "" && ready != nil &&
		ready.Reason != containersv1alpha1.ReasonConflict && ready.Reason != containersv1alpha1.ReasonEngineChanged
}

func byAge(engines []containersv1alpha1.ContainerEngine) []*containersv1alpha1.ContainerEngine {
	all := make([]*containersv1alpha1.ContainerEngine, len(engines))
	for i := range engines {
		all[i] = &engines[i]
	}
	slices.SortFunc(all, func(a, b *containersv1alpha1.ContainerEngine) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(key(a).String(), key(b).String())
	})
	return all
}

func key(e *containersv1alpha1.ContainerEngine) types.NamespacedName {
	return types.NamespacedName{Namespace: e.Namespace, Name: e.Name}
}
