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

// VMChange is what is to be another way with a virtual machine.
type VMChange struct {
	// Template returns the template that is to follow one; nil for the same.
	Template func(template string) (string, error)
	// Params are new values for parameters.
	Params map[string]string
}

// EditedVM is a change that was written, with what there was before.
type EditedVM struct {
	VMRequest
	// Unchanged says that all was so before: nothing was written.
	Unchanged bool

	vm      *limav1alpha1.LimaVM // before
	copy    *corev1.ConfigMap    // as it is now; nil where it was not written
	before  string               // the template
	changed map[string]string    // the parameters
}

// VMTemplate returns a virtual machine's own template.
func (s *Session) VMTemplate(ctx context.Context, vm *limav1alpha1.LimaVM) (string, error) {
	copied, err := s.templateCopy(ctx, vm)
	if err != nil {
		return "", err
	}
	return copied.Data[limav1alpha1.TemplateKey], nil
}

func (s *Session) templateCopy(ctx context.Context, vm *limav1alpha1.LimaVM) (*corev1.ConfigMap, error) {
	if vm.Status.TemplateConfigMap == "" {
		return nil, fmt.Errorf("%s has no template of its own yet: %s", vm.Name, describeVM(vm))
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

// EditVM asks for a virtual machine to be changed. Another client's change of the
// template in the same moment is a conflict, and stays.
func (s *Session) EditVM(ctx context.Context, vm *limav1alpha1.LimaVM, change VMChange) (*EditedVM, error) {
	edited := &EditedVM{VMRequest: requestOf(vm), vm: vm, changed: change.Params}
	params := maps.Clone(vm.Spec.Params)
	if params == nil {
		params = map[string]string{}
	}
	maps.Copy(params, change.Params)
	sameParams := maps.Equal(params, vm.Spec.Params) || len(change.Params) == 0
	if !sameParams { // a refusal changes nothing
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
	edited.rejected, edited.formerly = !edited.Unchanged, vm.Status.TemplateError
	edited.stale = sameParams && !sameTemplate && (failing || edited.formerly != "")
	return edited, nil
}

// editTemplate writes the template, unless it stays the same.
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

// writeTemplate writes a copy of a template, if it is as it was read.
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

// paramsPatch sets parameters; nil takes one away.
func paramsPatch[V any](params map[string]V) map[string]any {
	return map[string]any{"spec": map[string]any{"params": params}}
}

// RevertVM makes all as it was before a change that was rejected. The virtual machine
// has had no part of that.
func (s *Session) RevertVM(ctx context.Context, edited *EditedVM, rejected *TemplateRejectedError) error {
	// The parameters first: the template that is rejected keeps them from being
	// applied.
	if len(edited.changed) > 0 {
		before := map[string]*string{}
		for name := range edited.changed {
			before[name] = nil
			if value, ok := edited.vm.Spec.Params[name]; ok {
				before[name] = &value
			}
		}
		if _, err := s.patchVM(ctx, edited.vm, paramsPatch(before)); err != nil {
			return fmt.Errorf("put the parameters back: %w", err)
		}
	}
	if err := s.restoreTemplate(ctx, edited); err != nil || edited.copy == nil {
		return err
	}
	// The next change must not be taken for this one.
	back := edited.VMRequest
	back.template, back.formerly, back.stale = edited.copy.ResourceVersion, rejected.Reason, true
	return s.untilTaken(ctx, back)
}

func (s *Session) restoreTemplate(ctx context.Context, edited *EditedVM) error {
	if edited.copy == nil {
		return nil
	}
	if err := s.writeTemplate(ctx, edited.copy, edited.before); err != nil {
		return fmt.Errorf("put the template back: %w", err)
	}
	return nil
}
