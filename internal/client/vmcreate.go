// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

const (
	// usualNamespace is the default namespace of the App.
	usualNamespace = "rancher-desktop"

	// sourcePrefix is the prefix of a ConfigMap with the template of a new LimaVM. It
	// does not contain the LimaVM's name, which may still be refused.
	sourcePrefix = "limavm-source-"

	// tidyLimit bounds the cleanup after a failed creation.
	tidyLimit = 5 * time.Second
)

// NewVM describes a new virtual machine.
type NewVM struct {
	Name string
	// Namespace of its objects; empty for the App's, which is created if it does not
	// exist.
	Namespace string
	// Template is a complete lima.yaml, and Params are values for its parameters.
	Template string
	// TemplateRef is the name of a ConfigMap with the template, in place of Template.
	TemplateRef string
	Params      map[string]string
	Running     bool
	// DryRun only checks whether the virtual machine could be created.
	DryRun bool
}

// CreateVM creates a LimaVM, and a ConfigMap with its template; on failure, neither. The
// LimaVM owns the ConfigMap, and [Client.ForgetSource] deletes it earlier.
func (s *Session) CreateVM(ctx context.Context, m NewVM) (VMRequest, error) {
	all, err := s.VMs(ctx, "")
	if err != nil {
		return VMRequest{}, err
	}
	for i := range all {
		if all[i].Name == m.Name {
			return VMRequest{}, fmt.Errorf("virtual machine %q already exists in namespace %s", m.Name, all[i].Namespace)
		}
	}
	api, err := s.API()
	if err != nil {
		return VMRequest{}, err
	}
	source, err := s.createVMSource(ctx, api, m)
	if err != nil {
		return VMRequest{}, err
	}
	ours := m.TemplateRef == "" // the ConfigMap is
	vm := &limav1alpha1.LimaVM{
		ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: m.Name},
		Spec: limav1alpha1.LimaVMSpec{
			Running: ptr.To(m.Running), Params: m.Params, TemplateRef: limav1alpha1.TemplateReference{Name: source.Name},
		},
	}
	// An interrupt must not leave the template behind.
	tidying, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	var options []client.CreateOption
	if m.DryRun {
		options = append(options, client.DryRunAll)
	}
	err = api.Create(ctx, vm, options...)
	if ours && (err != nil || m.DryRun) {
		err = errors.Join(err, client.IgnoreNotFound(api.Delete(tidying, source)))
	}
	if err != nil || m.DryRun || !ours {
		return requestOf(vm), err
	}
	owned := source.DeepCopy()
	owned.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: limav1alpha1.GroupVersion.String(), Kind: "LimaVM", Name: vm.Name, UID: vm.UID,
	}}
	if err := api.Patch(tidying, owned, client.MergeFrom(source)); err != nil {
		return VMRequest{}, fmt.Errorf("set the owner of the template: %w", err)
	}
	return requestOf(vm), nil
}

// createVMSource creates the ConfigMap with the template of a new LimaVM, or returns the
// user's.
func (s *Session) createVMSource(ctx context.Context, api client.Client, m NewVM) (*corev1.ConfigMap, error) {
	namespace := m.Namespace
	if namespace == "" {
		app := &appv1alpha1.App{}
		// Without an App, or its kind, the default namespace applies.
		if err := api.Get(ctx, client.ObjectKey{Name: appv1alpha1.AppName}, app); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if namespace = app.Spec.Namespace; namespace == "" {
			namespace = usualNamespace
		}
	}
	if m.DryRun && m.TemplateRef == "" && m.Namespace == "" {
		namespace = metav1.NamespaceDefault // it is there, and need not be made
	}
	if m.TemplateRef != "" {
		source := &corev1.ConfigMap{}
		err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: m.TemplateRef}, source)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("no file and no ConfigMap %q in the namespace %s: name a file with a lima.yaml, or a ConfigMap with the key %q",
				m.TemplateRef, namespace, limav1alpha1.TemplateKey)
		}
		return source, err
	}
	source := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: sourcePrefix},
		Data:       map[string]string{limav1alpha1.TemplateKey: m.Template},
	}
	err := api.Create(ctx, source)
	if apierrors.IsNotFound(err) && m.Namespace == "" {
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		if err := api.Create(ctx, made); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
		err = api.Create(ctx, source)
	}
	return source, err
}

// ForgetVMSource deletes the ConfigMap that a LimaVM was created from, if the LimaVM owns it
// and has its own copy.
func (s *Session) ForgetVMSource(ctx context.Context, r VMRequest) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	vm := &limav1alpha1.LimaVM{}
	if err := api.Get(ctx, r.key, vm); err != nil || vm.UID != r.uid || vm.Status.TemplateConfigMap == "" {
		return client.IgnoreNotFound(err)
	}
	source := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: vm.Namespace, Name: vm.Spec.TemplateRef.Name}
	if err := api.Get(ctx, key, source); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, owner := range source.OwnerReferences {
		if owner.UID == vm.UID {
			return client.IgnoreNotFound(api.Delete(ctx, source, client.Preconditions{UID: &source.UID}))
		}
	}
	return nil
}
