// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

// errNoInstance is why an App in a cluster that is not RDD's has no virtual machine.
var errNoInstance = errors.New("containerEngine.endpoint is required: only an instance of rdd can have a virtual machine")

// wantsMachine reports whether the virtual machine should be running.
func (s *scope) wantsMachine() bool {
	return s.app.DeletionTimestamp == nil && s.app.Spec.Running && s.app.Spec.ContainerEngine.Endpoint == ""
}

// readMachine reads the LimaVM that the App owns, and its template.
func (s *scope) readMachine(ctx context.Context) error {
	vm := &limav1alpha1.LimaVM{}
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.app.Spec.Namespace, Name: appv1alpha1.VMName}, vm)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	orphan := metav1.GetControllerOf(vm) == nil && controllerutil.ContainsFinalizer(vm, held)
	if !orphan && !metav1.IsControlledBy(vm, s.app) {
		if !s.wantsMachine() {
			return nil
		}
		return &conflictError{"LimaVM", vm.Name, vm.Namespace}
	}
	s.vm = vm
	own := &corev1.ConfigMap{}
	err = s.reader.Get(ctx, client.ObjectKey{Namespace: vm.Namespace, Name: vm.TemplateCopy()}, own)
	if err == nil {
		s.template = own
	}
	return client.IgnoreNotFound(err)
}

// ensureMachine brings the App's virtual machine to its desired state. If the spec
// needs no machine, it is stopped but not deleted: it has the user's containers.
func (s *scope) ensureMachine(ctx context.Context) error {
	if err := s.readMachine(ctx); err != nil {
		return err
	}
	switch {
	case s.vm == nil && !s.wantsMachine():
		return nil
	case s.vm == nil && s.machines == nil:
		return &rejectedError{errNoInstance}
	case s.vm == nil:
		return s.createMachine(ctx)
	case s.vm.DeletionTimestamp != nil: // its namespace is being deleted
		return finalizer.ReleaseLast(ctx, s.client, s.vm, held)
	}
	return s.updateMachine(ctx)
}

// createMachine creates the template, and then the LimaVM.
func (s *scope) createMachine(ctx context.Context) error {
	text, made, err := s.machines.template(s.app, nil)
	if err != nil {
		return err
	}
	if err := s.writeSource(ctx, text); err != nil {
		return err
	}
	vm := &limav1alpha1.LimaVM{
		ObjectMeta: metav1.ObjectMeta{
			Name: appv1alpha1.VMName, Namespace: s.app.Spec.Namespace, Finalizers: []string{held},
			Annotations: map[string]string{madeFromAnnotation: made.String()},
		},
		Spec: limav1alpha1.LimaVMSpec{
			Running:     ptr.To(true),
			TemplateRef: limav1alpha1.TemplateReference{Name: appv1alpha1.VMName},
			Params:      s.params(),
		},
	}
	if request := s.app.Annotations[appv1alpha1.ResetAnnotation]; request != "" {
		vm.Annotations[limav1alpha1.ResetAnnotation] = request // a new machine needs no reset
	}
	if err := controllerutil.SetControllerReference(s.app, vm, s.client.Scheme()); err != nil {
		return err
	}
	if err := s.client.Create(ctx, vm); err != nil {
		return refused(fmt.Errorf("create the LimaVM %s: %w", vm.Name, err))
	}
	s.vm = vm
	return nil
}

// params are the template's parameters, so that another engine needs no other template.
func (s *scope) params() map[string]string {
	return map[string]string{template.ParamEngine: string(s.app.Spec.ContainerEngine.Name)}
}

// writeSource writes the ConfigMap that the LimaVM is created from.
func (s *scope) writeSource(ctx context.Context, text string) error {
	source := &corev1.ConfigMap{}
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.app.Spec.Namespace, Name: appv1alpha1.VMName}, source)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	data := map[string]string{limav1alpha1.TemplateKey: text}
	if err == nil {
		if !metav1.IsControlledBy(source, s.app) {
			return &conflictError{"ConfigMap", source.Name, source.Namespace}
		}
		source.Data = data
		return s.client.Update(ctx, source)
	}
	source = &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.VMName, Namespace: s.app.Spec.Namespace},
		Data:       data,
	}
	if err := controllerutil.SetControllerReference(s.app, source, s.client.Scheme()); err != nil {
		return err
	}
	if err := s.client.Create(ctx, source); err != nil {
		return fmt.Errorf("create the ConfigMap %s: %w", source.Name, err)
	}
	return nil
}

// updateMachine brings the LimaVM to its desired state. It writes the template first,
// so that both changes need one restart.
func (s *scope) updateMachine(ctx context.Context) error {
	updated := s.vm.DeepCopy()
	controllerutil.AddFinalizer(updated, held)
	if metav1.GetControllerOf(updated) == nil {
		if err := controllerutil.SetControllerReference(s.app, updated, s.client.Scheme()); err != nil {
			return err
		}
	}
	updated.Spec.Running = ptr.To(s.wantsMachine())
	if s.app.Spec.ContainerEngine.Endpoint == "" && s.machines != nil {
		made, err := s.updateTemplate(ctx)
		if err != nil {
			return err
		}
		if updated.Annotations == nil {
			updated.Annotations = map[string]string{}
		}
		updated.Annotations[madeFromAnnotation] = made.String()
		updated.Spec.Params = maps.Clone(s.vm.Spec.Params)
		if updated.Spec.Params == nil {
			updated.Spec.Params = map[string]string{}
		}
		maps.Copy(updated.Spec.Params, s.params())
	}
	if s.resetPending() && s.disconnected() {
		if updated.Annotations == nil {
			updated.Annotations = map[string]string{}
		}
		updated.Annotations[limav1alpha1.ResetAnnotation] = s.app.Annotations[appv1alpha1.ResetAnnotation]
	}
	if apiequality.Semantic.DeepEqual(updated, s.vm) {
		return nil
	}
	if err := s.client.Patch(ctx, updated, client.MergeFrom(s.vm)); err != nil {
		return refused(fmt.Errorf("update the LimaVM %s: %w", updated.Name, err))
	}
	s.vm = updated
	return nil
}

// updateTemplate updates the LimaVM's copy of the template if the spec has changed, and
// returns what the template is made from. The image stays the one of the existing disk.
// If the spec is unchanged, a newer version of the built-in template waits until the
// virtual machine is stopped, and a copy that the user edited is kept.
func (s *scope) updateTemplate(ctx context.Context) (madeFrom, error) {
	previous := readMadeFrom(s.vm)
	if s.template == nil {
		return previous, nil // the copy does not exist yet; its creation wakes this reconciler
	}
	fixed := &previous
	if s.resetPending() && s.disconnected() || !apimeta.IsStatusConditionTrue(s.vm.Status.Conditions, limav1alpha1.ConditionCreated) {
		fixed = nil
	}
	text, wanted, err := s.machines.template(s.app, fixed)
	if err != nil {
		return previous, err
	}
	previous = s.machines.filledIn(previous, wanted)
	has := s.template.Data[limav1alpha1.TemplateKey]
	stopped := s.vm.Spec.Running != nil && !*s.vm.Spec.Running
	switch {
	case has == text:
		return wanted, nil
	case wanted.same(previous) && (!stopped || previous.Template != digest(has)):
		return previous, nil
	}
	updated := s.template.DeepCopy()
	updated.Data[limav1alpha1.TemplateKey] = text
	if err := s.client.Update(ctx, updated); err != nil {
		return previous, fmt.Errorf("update the ConfigMap %s: %w", updated.Name, err)
	}
	s.template = updated
	return wanted, nil
}

// resetPending reports whether a requested reset of the virtual machine has not
// happened yet.
func (s *scope) resetPending() bool {
	request := s.app.Annotations[appv1alpha1.ResetAnnotation]
	return s.vm != nil && request != "" && request != s.vm.Status.ObservedResetRequest
}

// deleteMachine deletes the virtual machine and its source ConfigMap, and reports
// whether both are gone.
func (s *scope) deleteMachine(ctx context.Context) (gone bool, err error) {
	if err := s.readMachine(ctx); err != nil {
		return false, err
	}
	switch {
	case s.vm == nil:
		source := &corev1.ConfigMap{}
		key := client.ObjectKey{Namespace: s.app.Spec.Namespace, Name: appv1alpha1.VMName}
		if err := s.reader.Get(ctx, key, source); err != nil || !metav1.IsControlledBy(source, s.app) {
			return client.IgnoreNotFound(err) == nil, client.IgnoreNotFound(err)
		}
		return true, client.IgnoreNotFound(s.client.Delete(ctx, source))
	case s.vm.DeletionTimestamp == nil:
		return false, client.IgnoreNotFound(s.client.Delete(ctx, s.vm))
	}
	return false, finalizer.ReleaseLast(ctx, s.client, s.vm, held)
}
