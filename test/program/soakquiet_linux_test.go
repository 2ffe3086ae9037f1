// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// quiet waits until all requests are done and the mirrors are equal,
// and then that nothing is written any more.
func (s *soak) quiet() {
	h := s.h
	h.t.Helper()
	var before map[string]string
	for _, e := range s.engines {
		h.eventually("the mirrors of "+e.name+" are equal", func() (bool, string) { return s.settled(e) })
	}
	before = s.versions()
	for range 2 { // comparisons of each, which must find nothing
		began := time.Now()
		for _, e := range s.engines {
			h.eventually(e.name+" is compared", func() (bool, string) {
				ce := &containersv1alpha1.ContainerEngine{}
				if err := s.kube().Get(h.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: e.name}, ce); err != nil {
					return false, err.Error()
				}
				last := ce.Status.LastSync
				return last != nil && last.After(began.Add(time.Second)), fmt.Sprint(last) // it has whole seconds
			})
		}
	}
	if after := s.versions(); !maps.Equal(before, after) {
		h.t.Errorf("mirrors are written though nothing happens: %v, then %v", before, after)
	}
	for _, e := range s.engines {
		if ok, state := s.settled(e); !ok {
			h.t.Errorf("the mirrors of %s did not stay equal: %s", e.name, state)
		}
	}
	h.t.Logf("%d mirrors at the end", len(before))
}

// settled reports whether the mirrors of an engine are what it has, none is
// asked for anything, and its ContainerEngine is Connected.
func (s *soak) settled(e *soaked) (bool, string) {
	ctx, cancel := context.WithTimeout(s.h.t.Context(), 30*time.Second)
	defer cancel()
	ce := &containersv1alpha1.ContainerEngine{}
	if err := s.kube().Get(ctx, ctrlclient.ObjectKey{Namespace: namespace, Name: e.name}, ce); err != nil {
		return false, err.Error()
	}
	ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
	complete := apimeta.IsStatusConditionTrue(ce.Status.Conditions, containersv1alpha1.ConditionComplete)
	if len(ce.Status.Conditions) != 2 || ready == nil || ready.Message != "connected" || !complete || ce.Status.Failed != 0 {
		return false, fmt.Sprint(ce.Status.Conditions, ce.Status.Failed)
	}
	diff, err := e.diff(ctx, s.kube())
	if err != nil || diff != "" {
		return false, fmt.Sprint(err, "(-engine +mirror)\n", diff, s.unready(ctx, e))
	}
	objects, err := s.mirrors(ctx, e)
	if err != nil {
		return false, err.Error()
	}
	for _, object := range objects {
		c, ok := object.(*containersv1alpha1.Container)
		if object.GetDeletionTimestamp() != nil || object.GetAnnotations()[containersv1alpha1.ActionAnnotation] != "" ||
			ok && c.Spec.State != "" && c.Status.ObservedGeneration < c.Generation {
			return false, fmt.Sprintf("it is not done: %+v", object)
		}
		for _, fault := range []string{containersv1alpha1.ConditionSynced, containersv1alpha1.ConditionDeleting} {
			if condition := apimeta.FindStatusCondition(conditionsOf(object), fault); condition != nil {
				return false, fmt.Sprintf("%s: %+v", object.GetName(), condition)
			}
		}
	}
	return true, ""
}

// conditionsOf returns the conditions of a mirror.
func conditionsOf(mirror ctrlclient.Object) []metav1.Condition {
	switch m := mirror.(type) {
	case *containersv1alpha1.Container:
		return m.Status.Conditions
	case *containersv1alpha1.Image:
		return m.Status.Conditions
	case *containersv1alpha1.Volume:
		return m.Status.Conditions
	}
	return nil
}

func (s *soak) versions() map[string]string {
	s.h.t.Helper()
	versions := map[string]string{}
	for _, e := range s.engines {
		objects, err := s.mirrors(s.h.t.Context(), e)
		if err != nil {
			s.h.t.Fatal(err)
		}
		for _, object := range objects {
			versions[object.GetName()] = object.GetResourceVersion()
		}
	}
	return versions
}

// unready returns the mirrors of an engine that say nothing, or are to go.
func (s *soak) unready(ctx context.Context, e *soaked) string {
	objects, err := s.mirrors(ctx, e)
	text := fmt.Sprint(err)
	for _, object := range objects {
		image, isImage := object.(*containersv1alpha1.Image)
		volume, isVolume := object.(*containersv1alpha1.Volume)
		if object.GetDeletionTimestamp() != nil || isImage && image.Status.ID == "" || isVolume && volume.Status.Name == "" {
			data, _ := json.Marshal(object)
			text += "\n" + string(data)
		}
	}
	return text
}
