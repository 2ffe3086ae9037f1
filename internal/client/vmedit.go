// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// VMChange is a change of a virtual machine.
type VMChange struct {
	// Template returns the new template for the current one; nil to keep it.
	Template func(template string) (string, error)
	// Params are new values for parameters.
	Params map[string]string
}

// EditedVM is a written change, with the state before it.
type EditedVM struct {
	VMRequest
	// Unchanged is whether nothing was written, because there was no difference.
	Unchanged bool

	vm      *limav1alpha1.LimaVM // before the change
	copy    *corev1.ConfigMap    // after the change; nil if it was not written
	before  string               // the template before the change
	changed map[string]string    // the changed parameters
}

// VMTemplate returns a virtual machine's copy of its template.
func (s *Session) VMTemplate(ctx context.Context, vm *limav1alpha1.LimaVM) (string, error) {
	copied, err := s.templateCopy(ctx, vm)
	if err != nil {
		return "", err
	}
	return copied.Data[limav1alpha1.TemplateKey], nil
}

func (s *Session) templateCopy(ctx context.Context, vm *limav1alpha1.LimaVM) (*corev1.ConfigMap, error) {
	if vm.Status.TemplateConfigMap == "" {
		return nil, fmt.Errorf("%s has no copy of its template yet: %s", vm.Name, describeVM(vm))
	}
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	copied := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: vm.Namespace, Name: vm.Status.TemplateConfigMap}
	if err := api.Get(ctx, key, copied); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return copied, nil
}

// EditVM writes a change of a virtual machine. A concurrent change of the template by another
// client causes a conflict error, and is kept.
func (s *Session) EditVM(ctx context.Context, vm *limav1alpha1.LimaVM, change VMChange) (*EditedVM, error) {
	edited := &EditedVM{VMRequest: requestOf(vm), vm: vm, changed: change.Params}
	params := maps.Clone(vm.Spec.Params)
	if params == nil {
		params = map[string]string{}
	}
	maps.Copy(params, change.Params)
	sameParams := maps.Equal(params, vm.Spec.Params) || len(change.Params) == 0
	if !sameParams { // so that a refusal changes nothing
		if _, err := s.patchVM(ctx, vm, paramsPatch(change.Params), client.DryRunAll); err != nil {
			return nil, err
		}
	}
	sameTemplate, err := s.editTemplate(ctx, edited, change)
	if err != nil {
		return nil, err
	}
	edited.Unchanged = sameParams && sameTemplate
	if !sameParams {
		request, err := s.patchVM(ctx, vm, paramsPatch(change.Params))
		if err != nil {
			return nil, errors.Join(err, s.restoreTemplate(ctx, edited))
		}
		edited.generation = request.generation
	}
	_, failing := failure(vm)
	edited.rejectable, edited.earlierError = !edited.Unchanged, vm.Status.TemplateError
	edited.stale = sameParams && !sameTemplate && (failing || edited.earlierError != "")
	return edited, nil
}

// editTemplate writes the template, unless it is unchanged.
func (s *Session) editTemplate(ctx context.Context, edited *EditedVM, change VMChange) (same bool, err error) {
	if change.Template == nil {
		return true, nil
	}
	copied, err := s.templateCopy(ctx, edited.vm)
	if err != nil {
		return false, err
	}
	edited.before = copied.Data[limav1alpha1.TemplateKey]
	text, err := change.Template(edited.before)
	if err != nil || text == edited.before {
		return true, err
	}
	edited.copy = copied
	if err := s.writeTemplate(ctx, copied, text); err != nil {
		return false, err
	}
	edited.template = copied.ResourceVersion
	return false, nil
}

// writeTemplate writes a copy of a template, unless another client changed it since it was
// read.
func (s *Session) writeTemplate(ctx context.Context, copied *corev1.ConfigMap, text string) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	if copied.Data == nil {
		copied.Data = map[string]string{}
	}
	copied.Data[limav1alpha1.TemplateKey] = text
	return api.Update(ctx, copied)
}

// paramsPatch sets parameters; nil removes one.
func paramsPatch[V any](params map[string]V) map[string]any {
	return map[string]any{"spec": map[string]any{"params": params}}
}

// RevertVM reverts a rejected change. It was never applied to the virtual machine.
func (s *Session) RevertVM(ctx context.Context, edited *EditedVM, rejected *TemplateRejectedError) error {
	// The parameters first: they are not applied while the rejected template is there.
	if len(edited.changed) > 0 {
		before := map[string]*string{}
		for name := range edited.changed {
			before[name] = nil
			if value, ok := edited.vm.Spec.Params[name]; ok {
				before[name] = &value
			}
		}
		if _, err := s.patchVM(ctx, edited.vm, paramsPatch(before)); err != nil {
			return fmt.Errorf("restore the parameters: %w", err)
		}
	}
	if err := s.restoreTemplate(ctx, edited); err != nil || edited.copy == nil {
		return err
	}
	// The rejection must not be attributed to the next change.
	back := edited.VMRequest
	back.template, back.earlierError, back.stale = edited.copy.ResourceVersion, rejected.Reason, true
	return s.waitObserved(ctx, back)
}

func (s *Session) restoreTemplate(ctx context.Context, edited *EditedVM) error {
	if edited.copy == nil {
		return nil
	}
	if err := s.writeTemplate(ctx, edited.copy, edited.before); err != nil {
		return fmt.Errorf("restore the template: %w", err)
	}
	return nil
}
