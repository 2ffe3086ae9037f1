// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// unfitError reports that there is no usable template until another client writes one.
type unfitError struct{ error }

func (e *unfitError) Unwrap() error { return e.error }

// readTemplate validates the virtual machine's own template, and reports whether an
// instance exists. If limactl rejects the template of an existing instance, the applied one
// stays the desired one, and there is no error.
func (s *scope) readTemplate(ctx context.Context) (exists bool, err error) {
	s.vm.Status.TemplateError = ""
	applied, err := s.limactl.Applied(s.vm.Name)
	exists = err == nil || errors.Is(err, limactl.ErrNotApplied)
	text, err := templateOf(s.copy.Data)
	if err == nil {
		text, err = render(text, s.vm.Spec.Params)
	}
	var rejected error
	if err != nil {
		rejected = err
		err = &unfitError{err}
	}
	if err == nil && (!exists || !same(text, applied)) {
		err = s.check(ctx, text, applied, exists)
		if limactl.KindOf(err) == limactl.Invalid {
			rejected = err
		}
	}
	if exists && rejected != nil {
		s.vm.Status.TemplateError = bounded.Text(rejected.Error())
		s.desired = applied
		return exists, nil
	}
	s.desired = text
	return exists, err
}

// check makes limactl validate the template, once.
func (s *scope) check(ctx context.Context, text, applied string, exists bool) error {
	c := &s.machine.checked
	if c.text == text && c.has == applied {
		return c.err
	}
	err := s.limactl.Validate(ctx, text)
	if err == nil && exists {
		err = s.limactl.CheckEdit(ctx, s.vm.Name, text)
	}
	if err == nil || limactl.KindOf(err) == limactl.Invalid {
		*c = checked{text: text, has: applied, err: err}
	}
	return err
}

// ensureCopy reads the virtual machine's own template, or creates it from the one that
// the spec names.
func (s *scope) ensureCopy(ctx context.Context) error {
	key := client.ObjectKey{Namespace: s.vm.Namespace, Name: s.vm.TemplateCopy()}
	s.copy = &corev1.ConfigMap{}
	err := s.reader.Get(ctx, key, s.copy)
	if err == nil && !metav1.IsControlledBy(s.copy, s.vm) {
		return &unfitError{fmt.Errorf("the ConfigMap %s does not belong to this LimaVM: delete it", key.Name)}
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	source := &corev1.ConfigMap{}
	err = s.reader.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: s.vm.Spec.TemplateRef.Name}, source)
	text := source.Data[limav1alpha1.TemplateKey]
	if has, unknown := s.limactl.Applied(s.vm.Name); unknown == nil {
		text, err = has, nil // the copy was deleted: create it from the applied template
	}
	if apierrors.IsNotFound(err) {
		return &unfitError{fmt.Errorf("read the template: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	s.copy = &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Data:       map[string]string{limav1alpha1.TemplateKey: text},
	}
	if err := controllerutil.SetControllerReference(s.vm, s.copy, s.client.Scheme()); err != nil {
		return err
	}
	return s.client.Create(ctx, s.copy)
}
