// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	admissionregistrationv1alpha1 "k8s.io/client-go/informers/admissionregistration/v1alpha1"
	admissionregistrationv1beta1 "k8s.io/client-go/informers/admissionregistration/v1beta1"
	"k8s.io/client-go/informers/apiserverinternal"
	"k8s.io/client-go/informers/apps"
	"k8s.io/client-go/informers/autoscaling"
	"k8s.io/client-go/informers/batch"
	"k8s.io/client-go/informers/certificates"
	"k8s.io/client-go/informers/coordination"
	corev1 "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/discovery"
	"k8s.io/client-go/informers/events"
	"k8s.io/client-go/informers/extensions"
	"k8s.io/client-go/informers/flowcontrol"
	"k8s.io/client-go/informers/lifecycle"
	"k8s.io/client-go/informers/networking"
	"k8s.io/client-go/informers/node"
	"k8s.io/client-go/informers/policy"
	rbacv1alpha1 "k8s.io/client-go/informers/rbac/v1alpha1"
	rbacv1beta1 "k8s.io/client-go/informers/rbac/v1beta1"
	"k8s.io/client-go/informers/resource"
	"k8s.io/client-go/informers/scheduling"
	"k8s.io/client-go/informers/storage"
	"k8s.io/client-go/informers/storagemigration"
)

// refusals are the informers that were requested and are not shared. A new version of
// Kubernetes may request more: each is a method here, as an embedded interface would
// panic without a word of which.
type refusals struct {
	mu    sync.Mutex
	names []string // guarded by mu
}

// refuse records a request, and returns nil: the interface has no room for an error.
func refuse[I any](r *refusals, name string) I {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.names, name) {
		r.names = append(r.names, name)
	}
	var none I
	return none
}

// err returns which informers were requested; nil for none.
func (r *refusals) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errNoInformer, strings.Join(r.names, ", "))
}

var errNoInformer = errors.New("no informer is shared of")

// guard runs a step that composes the API server. A request for a missing informer is
// the step's error, also if the step then panics for the nil that it got.
func (r *refusals) guard(step func() error) (err error) {
	defer func() {
		if refused := r.err(); refused != nil {
			_ = recover()
			err = refused
		}
	}()
	return step()
}

// The groups of which no informer is shared.

// Internal implements [informers.SharedInformerFactory].
func (s *informerSet) Internal() apiserverinternal.Interface {
	return refuse[apiserverinternal.Interface](s.refused, "apiserverinternal")
}

// Apps implements [informers.SharedInformerFactory].
func (s *informerSet) Apps() apps.Interface { return refuse[apps.Interface](s.refused, "apps") }

// Autoscaling implements [informers.SharedInformerFactory].
func (s *informerSet) Autoscaling() autoscaling.Interface {
	return refuse[autoscaling.Interface](s.refused, "autoscaling")
}

// Batch implements [informers.SharedInformerFactory].
func (s *informerSet) Batch() batch.Interface { return refuse[batch.Interface](s.refused, "batch") }

// Certificates implements [informers.SharedInformerFactory].
func (s *informerSet) Certificates() certificates.Interface {
	return refuse[certificates.Interface](s.refused, "certificates")
}

// Coordination implements [informers.SharedInformerFactory].
func (s *informerSet) Coordination() coordination.Interface {
	return refuse[coordination.Interface](s.refused, "coordination")
}

// Discovery implements [informers.SharedInformerFactory].
func (s *informerSet) Discovery() discovery.Interface {
	return refuse[discovery.Interface](s.refused, "discovery")
}

// Events implements [informers.SharedInformerFactory].
func (s *informerSet) Events() events.Interface { return refuse[events.Interface](s.refused, "events") }

// Extensions implements [informers.SharedInformerFactory].
func (s *informerSet) Extensions() extensions.Interface {
	return refuse[extensions.Interface](s.refused, "extensions")
}

// Flowcontrol implements [informers.SharedInformerFactory].
func (s *informerSet) Flowcontrol() flowcontrol.Interface {
	return refuse[flowcontrol.Interface](s.refused, "flowcontrol")
}

// Lifecycle implements [informers.SharedInformerFactory].
func (s *informerSet) Lifecycle() lifecycle.Interface {
	return refuse[lifecycle.Interface](s.refused, "lifecycle")
}

// Networking implements [informers.SharedInformerFactory].
func (s *informerSet) Networking() networking.Interface {
	return refuse[networking.Interface](s.refused, "networking")
}

// Node implements [informers.SharedInformerFactory].
func (s *informerSet) Node() node.Interface { return refuse[node.Interface](s.refused, "node") }

// Policy implements [informers.SharedInformerFactory].
func (s *informerSet) Policy() policy.Interface { return refuse[policy.Interface](s.refused, "policy") }

// Resource implements [informers.SharedInformerFactory].
func (s *informerSet) Resource() resource.Interface {
	return refuse[resource.Interface](s.refused, "resource")
}

// Scheduling implements [informers.SharedInformerFactory].
func (s *informerSet) Scheduling() scheduling.Interface {
	return refuse[scheduling.Interface](s.refused, "scheduling")
}

// Storage implements [informers.SharedInformerFactory].
func (s *informerSet) Storage() storage.Interface {
	return refuse[storage.Interface](s.refused, "storage")
}

// Storagemigration implements [informers.SharedInformerFactory].
func (s *informerSet) Storagemigration() storagemigration.Interface {
	return refuse[storagemigration.Interface](s.refused, "storagemigration")
}

// V1alpha1 implements [admissionregistration.Interface].
func (i admissionInformers) V1alpha1() admissionregistrationv1alpha1.Interface {
	return refuse[admissionregistrationv1alpha1.Interface](i.refused, "admissionregistration/v1alpha1")
}

// V1beta1 implements [admissionregistration.Interface].
func (i admissionInformers) V1beta1() admissionregistrationv1beta1.Interface {
	return refuse[admissionregistrationv1beta1.Interface](i.refused, "admissionregistration/v1beta1")
}

// V1alpha1 implements [rbac.Interface].
func (i rbacInformers) V1alpha1() rbacv1alpha1.Interface {
	return refuse[rbacv1alpha1.Interface](i.refused, "rbac/v1alpha1")
}

// V1beta1 implements [rbac.Interface].
func (i rbacInformers) V1beta1() rbacv1beta1.Interface {
	return refuse[rbacv1beta1.Interface](i.refused, "rbac/v1beta1")
}

// ComponentStatuses implements [corev1.Interface].
func (i coreV1Informers) ComponentStatuses() corev1.TypedComponentStatusInformer {
	return refuse[corev1.TypedComponentStatusInformer](i.refused, "core/componentstatuses")
}

// ConfigMaps implements [corev1.Interface].
func (i coreV1Informers) ConfigMaps() corev1.TypedConfigMapInformer {
	return refuse[corev1.TypedConfigMapInformer](i.refused, "core/configmaps")
}

// Endpoints implements [corev1.Interface].
func (i coreV1Informers) Endpoints() corev1.TypedEndpointsInformer {
	return refuse[corev1.TypedEndpointsInformer](i.refused, "core/endpoints")
}

// Events implements [corev1.Interface].
func (i coreV1Informers) Events() corev1.TypedEventInformer {
	return refuse[corev1.TypedEventInformer](i.refused, "core/events")
}

// LimitRanges implements [corev1.Interface].
func (i coreV1Informers) LimitRanges() corev1.TypedLimitRangeInformer {
	return refuse[corev1.TypedLimitRangeInformer](i.refused, "core/limitranges")
}

// Nodes implements [corev1.Interface].
func (i coreV1Informers) Nodes() corev1.TypedNodeInformer {
	return refuse[corev1.TypedNodeInformer](i.refused, "core/nodes")
}

// PersistentVolumes implements [corev1.Interface].
func (i coreV1Informers) PersistentVolumes() corev1.TypedPersistentVolumeInformer {
	return refuse[corev1.TypedPersistentVolumeInformer](i.refused, "core/persistentvolumes")
}

// PersistentVolumeClaims implements [corev1.Interface].
func (i coreV1Informers) PersistentVolumeClaims() corev1.TypedPersistentVolumeClaimInformer {
	return refuse[corev1.TypedPersistentVolumeClaimInformer](i.refused, "core/persistentvolumeclaims")
}

// Pods implements [corev1.Interface].
func (i coreV1Informers) Pods() corev1.TypedPodInformer {
	return refuse[corev1.TypedPodInformer](i.refused, "core/pods")
}

// PodTemplates implements [corev1.Interface].
func (i coreV1Informers) PodTemplates() corev1.TypedPodTemplateInformer {
	return refuse[corev1.TypedPodTemplateInformer](i.refused, "core/podtemplates")
}

// ReplicationControllers implements [corev1.Interface].
func (i coreV1Informers) ReplicationControllers() corev1.TypedReplicationControllerInformer {
	return refuse[corev1.TypedReplicationControllerInformer](i.refused, "core/replicationcontrollers")
}

// ResourceQuotas implements [corev1.Interface].
func (i coreV1Informers) ResourceQuotas() corev1.TypedResourceQuotaInformer {
	return refuse[corev1.TypedResourceQuotaInformer](i.refused, "core/resourcequotas")
}

// Secrets implements [corev1.Interface].
func (i coreV1Informers) Secrets() corev1.TypedSecretInformer {
	return refuse[corev1.TypedSecretInformer](i.refused, "core/secrets")
}

// Services implements [corev1.Interface].
func (i coreV1Informers) Services() corev1.TypedServiceInformer {
	return refuse[corev1.TypedServiceInformer](i.refused, "core/services")
}

// ServiceAccounts implements [corev1.Interface].
func (i coreV1Informers) ServiceAccounts() corev1.TypedServiceAccountInformer {
	return refuse[corev1.TypedServiceAccountInformer](i.refused, "core/serviceaccounts")
}
