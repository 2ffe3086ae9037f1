// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/informers/admissionregistration"
	admissionregistrationv1 "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/informers/core"
	corev1 "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/internalinterfaces"
	"k8s.io/client-go/informers/rbac"
	rbacv1 "k8s.io/client-go/informers/rbac/v1"
	"k8s.io/client-go/kubernetes"
	admissionregistrationlisters "k8s.io/client-go/listers/admissionregistration/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
)

// informerSet has the informers that admission and authorization use. Kubernetes' own
// factory links the informers and listers of every kind, 7 MB of program. A call for
// another informer fails the composition of the API server.
type informerSet struct {
	refused *refusals

	core      coreInformers
	admission admissionInformers
	rbac      rbacInformers
	all       map[reflect.Type]cache.SharedIndexInformer // by type of lister
	running   sync.WaitGroup
}

var _ informers.SharedInformerFactory = &informerSet{}

// newInformerSet creates the informers, which [informerSet.StartWithContext] starts.
func newInformerSet(client kubernetes.Interface, refused *refusals) (*informerSet, error) {
	s := &informerSet{refused: refused, all: map[reflect.Type]cache.SharedIndexInformer{}}
	s.core.refused, s.core.v1.refused = refused, refused
	s.admission.refused, s.rbac.refused = refused, refused
	s.core.v1.namespaces = add(s, corev1.NewNamespaceInformerWithOptions(client, indexed()), corelisters.NewNamespaceLister)
	a := &s.admission.v1
	a.mutatingPolicies = add(s, admissionregistrationv1.NewMutatingAdmissionPolicyInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewMutatingAdmissionPolicyLister)
	a.mutatingBindings = add(s, admissionregistrationv1.NewMutatingAdmissionPolicyBindingInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewMutatingAdmissionPolicyBindingLister)
	a.mutatingWebhooks = add(s, admissionregistrationv1.NewMutatingWebhookConfigurationInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewMutatingWebhookConfigurationLister)
	a.validatingPolicies = add(s, admissionregistrationv1.NewValidatingAdmissionPolicyInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewValidatingAdmissionPolicyLister)
	a.validatingBindings = add(s, admissionregistrationv1.NewValidatingAdmissionPolicyBindingInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewValidatingAdmissionPolicyBindingLister)
	a.validatingWebhooks = add(s, admissionregistrationv1.NewValidatingWebhookConfigurationInformerWithOptions(client, indexed()),
		admissionregistrationlisters.NewValidatingWebhookConfigurationLister)
	r := &s.rbac.v1
	r.roles = add(s, rbacv1.NewRoleInformerWithOptions(client, metav1.NamespaceAll, indexed()), rbaclisters.NewRoleLister)
	r.roleBindings = add(s, rbacv1.NewRoleBindingInformerWithOptions(client, metav1.NamespaceAll, indexed()), rbaclisters.NewRoleBindingLister)
	r.clusterRoles = add(s, rbacv1.NewClusterRoleInformerWithOptions(client, indexed()), rbaclisters.NewClusterRoleLister)
	r.clusterRoleBindings = add(s, rbacv1.NewClusterRoleBindingInformerWithOptions(client, indexed()), rbaclisters.NewClusterRoleBindingLister)
	for _, informer := range s.all {
		if err := informer.SetTransform(dropManagedFields); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// indexed adds an index by namespace, which listers need.
func indexed() internalinterfaces.InformerOptions {
	return internalinterfaces.InformerOptions{Indexers: cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}}
}

// add adds the informer of one kind.
func add[L any](s *informerSet, informer cache.SharedIndexInformer, lister func(cache.Indexer) L) kindInformer[L] {
	s.all[reflect.TypeFor[L]()] = informer
	return kindInformer[L]{informer, lister(informer.GetIndexer())}
}

// Start implements [informers.SharedInformerFactory].
func (s *informerSet) Start(stop <-chan struct{}) { s.StartWithContext(wait.ContextForChannel(stop)) }

// StartWithContext implements [informers.SharedInformerFactory]. It is called once.
func (s *informerSet) StartWithContext(ctx context.Context) {
	for _, informer := range s.all {
		s.running.Go(func() { informer.RunWithContext(ctx) })
	}
}

// Shutdown implements [informers.SharedInformerFactory]: it waits for the informers to
// end, after the context of their start has.
func (s *informerSet) Shutdown() { s.running.Wait() }

// WaitForCacheSync implements [informers.SharedInformerFactory].
func (s *informerSet) WaitForCacheSync(stop <-chan struct{}) map[reflect.Type]bool {
	return s.WaitForCacheSyncWithContext(wait.ContextForChannel(stop)).Synced
}

// WaitForCacheSyncWithContext implements [informers.SharedInformerFactory].
func (s *informerSet) WaitForCacheSyncWithContext(ctx context.Context) cache.SyncResult {
	result := cache.SyncResult{Synced: map[reflect.Type]bool{}}
	for lister, informer := range s.all {
		cache.WaitFor(ctx, "", informer.HasSyncedChecker())
		result.Synced[lister] = informer.HasSynced()
		if !result.Synced[lister] {
			result.Err = context.Cause(ctx)
		}
	}
	return result
}

// InformerName implements [informers.SharedInformerFactory]. There is none: names are for
// metrics of several factories.
func (s *informerSet) InformerName() *cache.InformerName { return nil }

// InformerFor implements [informers.SharedInformerFactory].
func (s *informerSet) InformerFor(object runtime.Object, _ internalinterfaces.NewInformerFunc) cache.SharedIndexInformer {
	return refuse[cache.SharedIndexInformer](s.refused, fmt.Sprintf("%T", object))
}

// ForResource implements [informers.SharedInformerFactory]. Policies call it for the
// kinds of their parameters, and create their own informers for missing ones.
func (s *informerSet) ForResource(resource schema.GroupVersionResource) (informers.GenericInformer, error) {
	return nil, fmt.Errorf("no informer of %s is shared", resource)
}

// Core implements [informers.SharedInformerFactory].
func (s *informerSet) Core() core.Interface { return s.core }

// Admissionregistration implements [informers.SharedInformerFactory].
func (s *informerSet) Admissionregistration() admissionregistration.Interface { return s.admission }

// Rbac implements [informers.SharedInformerFactory].
func (s *informerSet) Rbac() rbac.Interface { return s.rbac }

// kindInformer is the informer of one kind.
type kindInformer[L any] struct {
	informer cache.SharedIndexInformer
	lister   L
}

// Informer implements the interface of its kind's informers.
func (k kindInformer[L]) Informer() cache.SharedIndexInformer { return k.informer }

// Lister implements the interface of its kind's informers.
func (k kindInformer[L]) Lister() L { return k.lister }

type coreInformers struct {
	refused *refusals
	v1      coreV1Informers
}

// V1 implements [core.Interface].
func (i coreInformers) V1() corev1.Interface { return i.v1 }

type coreV1Informers struct {
	refused *refusals

	namespaces kindInformer[corelisters.NamespaceLister]
}

// Namespaces implements [corev1.Interface].
func (i coreV1Informers) Namespaces() corev1.TypedNamespaceInformer {
	return corev1.ToTypedNamespaceInformer(i.namespaces)
}

type admissionInformers struct {
	refused *refusals
	v1      admissionV1Informers
}

// V1 implements [admissionregistration.Interface].
func (i admissionInformers) V1() admissionregistrationv1.Interface { return i.v1 }

type admissionV1Informers struct {
	mutatingPolicies   kindInformer[admissionregistrationlisters.MutatingAdmissionPolicyLister]
	mutatingBindings   kindInformer[admissionregistrationlisters.MutatingAdmissionPolicyBindingLister]
	mutatingWebhooks   kindInformer[admissionregistrationlisters.MutatingWebhookConfigurationLister]
	validatingPolicies kindInformer[admissionregistrationlisters.ValidatingAdmissionPolicyLister]
	validatingBindings kindInformer[admissionregistrationlisters.ValidatingAdmissionPolicyBindingLister]
	validatingWebhooks kindInformer[admissionregistrationlisters.ValidatingWebhookConfigurationLister]
}

// MutatingAdmissionPolicies implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) MutatingAdmissionPolicies() admissionregistrationv1.TypedMutatingAdmissionPolicyInformer {
	return admissionregistrationv1.ToTypedMutatingAdmissionPolicyInformer(i.mutatingPolicies)
}

// MutatingAdmissionPolicyBindings implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) MutatingAdmissionPolicyBindings() admissionregistrationv1.TypedMutatingAdmissionPolicyBindingInformer {
	return admissionregistrationv1.ToTypedMutatingAdmissionPolicyBindingInformer(i.mutatingBindings)
}

// MutatingWebhookConfigurations implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) MutatingWebhookConfigurations() admissionregistrationv1.TypedMutatingWebhookConfigurationInformer {
	return admissionregistrationv1.ToTypedMutatingWebhookConfigurationInformer(i.mutatingWebhooks)
}

// ValidatingAdmissionPolicies implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) ValidatingAdmissionPolicies() admissionregistrationv1.TypedValidatingAdmissionPolicyInformer {
	return admissionregistrationv1.ToTypedValidatingAdmissionPolicyInformer(i.validatingPolicies)
}

// ValidatingAdmissionPolicyBindings implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) ValidatingAdmissionPolicyBindings() admissionregistrationv1.TypedValidatingAdmissionPolicyBindingInformer {
	return admissionregistrationv1.ToTypedValidatingAdmissionPolicyBindingInformer(i.validatingBindings)
}

// ValidatingWebhookConfigurations implements [admissionregistrationv1.Interface].
func (i admissionV1Informers) ValidatingWebhookConfigurations() admissionregistrationv1.TypedValidatingWebhookConfigurationInformer {
	return admissionregistrationv1.ToTypedValidatingWebhookConfigurationInformer(i.validatingWebhooks)
}

type rbacInformers struct {
	refused *refusals
	v1      rbacV1Informers
}

// V1 implements [rbac.Interface].
func (i rbacInformers) V1() rbacv1.Interface { return i.v1 }

type rbacV1Informers struct {
	roles               kindInformer[rbaclisters.RoleLister]
	roleBindings        kindInformer[rbaclisters.RoleBindingLister]
	clusterRoles        kindInformer[rbaclisters.ClusterRoleLister]
	clusterRoleBindings kindInformer[rbaclisters.ClusterRoleBindingLister]
}

// Roles implements [rbacv1.Interface].
func (i rbacV1Informers) Roles() rbacv1.TypedRoleInformer {
	return rbacv1.ToTypedRoleInformer(i.roles)
}

// RoleBindings implements [rbacv1.Interface].
func (i rbacV1Informers) RoleBindings() rbacv1.TypedRoleBindingInformer {
	return rbacv1.ToTypedRoleBindingInformer(i.roleBindings)
}

// ClusterRoles implements [rbacv1.Interface].
func (i rbacV1Informers) ClusterRoles() rbacv1.TypedClusterRoleInformer {
	return rbacv1.ToTypedClusterRoleInformer(i.clusterRoles)
}

// ClusterRoleBindings implements [rbacv1.Interface].
func (i rbacV1Informers) ClusterRoleBindings() rbacv1.TypedClusterRoleBindingInformer {
	return rbacv1.ToTypedClusterRoleBindingInformer(i.clusterRoleBindings)
}
