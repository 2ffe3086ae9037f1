// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const (
	// validationLimit bounds a check by limactl, with the wait for its turn, which
	// turnLimit bounds: the API server waits for 5 s.
	validationLimit = 4 * time.Second
	turnLimit       = 2 * time.Second
	// maxValidations is how many checks by limactl run at once.
	maxValidations = 2

	// longestSocket is the name that OpenSSH makes of the longest one in an
	// instance's directory, for a moment: 16 characters follow the dot.
	longestSocket = "ssh.sock.0123456789abcdef"
)

// maxSocketPath is how many bytes the path of a socket may have (sun_path less
// its end).
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// hook needs code: whether a name is free, a path short enough, and a template
// one, neither a schema nor CEL can tell.
func hook(cfg Config, probe *limactl.Probe) admission.Hook {
	gate := gate{cfg, probe, make(chan struct{}, maxValidations)}
	return admission.NewHook(limav1alpha1.GroupVersion.WithResource("limavms"), "LimaVM", admission.Rules[*limav1alpha1.LimaVM]{
		New:      func() *limav1alpha1.LimaVM { return &limav1alpha1.LimaVM{} },
		Validate: gate.validate,
	})
}

// gate decides which LimaVMs there may be.
type gate struct {
	Config
	probe *limactl.Probe
	turns chan struct{} // one for each check by limactl that runs
}

func (g gate) validate(ctx context.Context, reader client.Reader, vm, old *limav1alpha1.LimaVM) field.ErrorList {
	if old != nil {
		if maps.Equal(vm.Spec.Params, old.Spec.Params) {
			return nil
		}
		return g.checkTemplate(ctx, reader, vm, vm.TemplateCopy())
	}
	name := field.NewPath("metadata", "name")
	if path := filepath.Join(g.Home, vm.Name, longestSocket); len(path) > maxSocketPath() {
		return field.ErrorList{field.Invalid(name, vm.Name, fmt.Sprintf(
			"must be %d characters shorter: its sockets are in %s, and their paths may have %d",
			len(path)-maxSocketPath(), g.Home, maxSocketPath()))}
	}
	other, err := sameName(ctx, reader, vm)
	if err != nil {
		return field.ErrorList{field.InternalError(name, err)}
	}
	if other != nil {
		return field.ErrorList{field.Invalid(name, vm.Name, fmt.Sprintf(
			"must be unique in the instance: there is a LimaVM of that name in the namespace %s", other.Namespace))}
	}
	return g.checkTemplate(ctx, reader, vm, vm.Spec.TemplateRef.Name)
}

// checkTemplate checks the template in a ConfigMap, with the parameters. Where
// limactl can't be run at all, its part of it is left to the controller, which
// says why.
func (g gate) checkTemplate(ctx context.Context, reader client.Reader, vm *limav1alpha1.LimaVM, name string) field.ErrorList {
	at := field.NewPath("spec", "templateRef", "name")
	source := &corev1.ConfigMap{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: vm.Namespace, Name: name}, source)
	if apierrors.IsNotFound(err) {
		if name == vm.TemplateCopy() {
			return nil // the controller makes it anew
		}
		return field.ErrorList{field.NotFound(at, name)}
	}
	if err != nil {
		return field.ErrorList{field.InternalError(at, err)}
	}
	text, err := templateOf(source.Data)
	if err != nil {
		return field.ErrorList{field.Invalid(at, name, "the ConfigMap "+err.Error())}
	}
	rendered, err := render(text, vm.Spec.Params)
	if errors.Is(err, errParam) {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "params"), vm.Spec.Params, err.Error())}
	}
	if err != nil {
		return field.ErrorList{field.Invalid(at, name, err.Error())}
	}
	return g.ask(ctx, at, name, rendered)
}

// ask has limactl check the template that is in the ConfigMap of that name.
func (g gate) ask(ctx context.Context, at *field.Path, name, template string) field.ErrorList {
	ctx, cancel := context.WithTimeout(ctx, validationLimit)
	defer cancel()
	waited := time.NewTimer(turnLimit)
	defer waited.Stop()
	select {
	case g.turns <- struct{}{}:
		defer func() { <-g.turns }()
	case <-ctx.Done():
		return field.ErrorList{admission.Undecided(at, context.Cause(ctx))}
	case <-waited.C:
		return field.ErrorList{admission.Undecided(at, apierrors.NewTooManyRequests("limactl is checking other templates: try again later", 1))}
	}
	tool, err := limactl.Open(ctx, g.probe, g.Limactl, g.Home)
	if err != nil {
		return nil
	}
	if err := tool.Validate(ctx, template); limactl.KindOf(err) == limactl.Invalid {
		return field.ErrorList{field.Invalid(at, name, "limactl rejects its template: "+err.Error())}
	}
	return nil
}

// sameName returns another LimaVM of the name, the oldest of them; nil for none.
func sameName(ctx context.Context, reader client.Reader, vm *limav1alpha1.LimaVM) (*limav1alpha1.LimaVM, error) {
	var all limav1alpha1.LimaVMList
	if err := reader.List(ctx, &all); err != nil {
		return nil, err
	}
	var oldest *limav1alpha1.LimaVM
	for i := range all.Items {
		other := &all.Items[i]
		if other.Name == vm.Name && other.Namespace != vm.Namespace && (oldest == nil || older(other, oldest)) {
			oldest = other
		}
	}
	return oldest, nil
}

// older reports whether a LimaVM was there before another.
func older(a, b *limav1alpha1.LimaVM) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}
