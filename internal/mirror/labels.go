// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// maxLabels is how many labels a mirror has of its engine object.
	maxLabels = 64
	// maxLabelKey is the length of a prefix of 253 bytes, a slash, and a name of 63.
	maxLabelKey = validation.DNS1123SubdomainMaxLength + 1 + validation.LabelValueMaxLength
)

// reservedDomains are those whose labels say what Kubernetes or RDD knows: one from
// an engine could pose as the label of an owner.
func reservedDomains() []string { return []string{"kubernetes.io", "k8s.io", "rancherdesktop.io"} }

// mirrorable reports whether Kubernetes accepts a label of an engine object, and its
// prefix is not reserved.
func mirrorable(key, value string) bool {
	if len(key) > maxLabelKey || len(value) > validation.LabelValueMaxLength {
		return false // before a megabyte of it is matched
	}
	if prefix, _, found := strings.Cut(key, "/"); found && slices.ContainsFunc(reservedDomains(), func(domain string) bool {
		return prefix == domain || strings.HasSuffix(prefix, "."+domain)
	}) {
		return false
	}
	return len(validation.IsQualifiedName(key)) == 0 && len(validation.IsValidLabelValue(value)) == 0
}

// mirroredLabels returns the labels of an engine object that its mirror has, and how
// many there are that it could have.
func mirroredLabels(labels map[string]string) (mirrored map[string]string, all int) {
	mirrored = map[string]string{}
	for key, value := range labels {
		if mirrorable(key, value) {
			mirrored[key] = value
		}
	}
	all = len(mirrored)
	if all > maxLabels {
		for _, key := range slices.Sorted(maps.Keys(mirrored))[maxLabels:] {
			delete(mirrored, key)
		}
	}
	return mirrored, all
}

// label gives a mirror that is wanted the labels of its engine object. It returns
// what Truncated says of those that are left out.
func label(want client.Object) (notes []string) {
	mirrored, all := mirroredLabels(kinds[kindOf(want)].status.labels(want))
	if len(mirrored) == 0 {
		return nil
	}
	labels := maps.Clone(mirrored)
	maps.Copy(labels, want.GetLabels())
	setLabels(want, labels, recordOf(mirrored))
	if all > maxLabels {
		notes = append(notes, fmt.Sprintf("metadata.labels (left out: %d of %d)", all-maxLabels, all))
	}
	return notes
}

// recordOf returns the value of [containersv1alpha1.LabelsAnnotation]; empty for no
// labels.
func recordOf(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	text, err := json.Marshal(labels)
	if err != nil {
		return "" // not of strings
	}
	return string(text)
}

// relabel returns the labels and the record that a mirror should have, and whether it
// has others: those of the engine follow the engine, unless a user set them. It is not
// enough to compare with the status: that is written after the labels, and does
// not tell a user's label from one that the engine has, too.
func relabel(have client.Object, mirrored map[string]string) (labels map[string]string, record string, changed bool) {
	before := have.GetAnnotations()[containersv1alpha1.LabelsAnnotation]
	var written map[string]string
	recorded := before != "" && json.Unmarshal([]byte(before), &written) == nil
	labels = maps.Clone(have.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	for key, value := range written {
		now, ok := labels[key]
		if _, wanted := mirrored[key]; ok && now == value && !wanted {
			delete(labels, key)
		}
	}
	ours := map[string]string{}
	for key, value := range mirrored {
		now, there := labels[key]
		was, mine := written[key]
		if !there || mine && now == was || !recorded && now == value {
			labels[key], ours[key] = value, value
		}
	}
	record = recordOf(ours)
	return labels, record, record != before || !maps.Equal(labels, have.GetLabels())
}

// engineLabels returns those labels of a wanted mirror that are its engine object's.
func engineLabels(want client.Object) map[string]string {
	labels := maps.Clone(want.GetLabels())
	delete(labels, containersv1alpha1.EngineLabel)
	return labels
}

// isMislabeled reports whether a mirror may have other labels than its status says, as
// one that an earlier version of RDD wrote.
func isMislabeled(m client.Object) bool {
	mirrored, _ := mirroredLabels(kinds[kindOf(m)].status.labels(m))
	_, _, changed := relabel(m, mirrored)
	return changed
}

// keepLabels returns want with the labels that users set on have, which it replaces.
func keepLabels(have, want client.Object) client.Object {
	kept, _, _ := relabel(have, nil) // without the engine's labels, only the user's are left
	labels, mirrored := maps.Clone(want.GetLabels()), engineLabels(want)
	for key, value := range kept {
		if key != containersv1alpha1.EngineLabel {
			labels[key] = value
			delete(mirrored, key)
		}
	}
	replacement := want.DeepCopyObject().(client.Object)
	setLabels(replacement, labels, recordOf(mirrored))
	return replacement
}

// setLabels sets the labels of a mirror, and the record of those that are its engine
// object's.
func setLabels(m client.Object, labels map[string]string, record string) {
	annotations := maps.Clone(m.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[containersv1alpha1.LabelsAnnotation] = record
	if record == "" {
		delete(annotations, containersv1alpha1.LabelsAnnotation)
	}
	m.SetLabels(labels)
	m.SetAnnotations(annotations)
}
