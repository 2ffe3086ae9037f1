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
	// validationLimit bounds a validation by limactl, including the wait for a turn,
	// which turnLimit bounds: the API server waits for 5 s.
	validationLimit = 4 * time.Second
	turnLimit       = 2 * time.Second
	// maxValidations is how many validations by limactl run at once.
	maxValidations = 2

	// longestSocket is the longest name of a socket in an instance's directory. OpenSSH
	// appends a dot and 16 characters to it temporarily.
	longestSocket = "ssh.sock.0123456789abcdef"
)

// maxSocketPath is the maximum length of a socket's path, in bytes (sun_path less the
// terminator).
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// hook returns the checks that neither a schema nor CEL can do: whether the name is
// free, the path short enough, and the template valid.
func hook(cfg Config, probe *limactl.Probe) admission.Hook {
	gate := gate{cfg, probe, make(chan struct{}, maxValidations)}
	return admission.NewHook(limav1alpha1.GroupVersion.WithResource("limavms"), "LimaVM", admission.Rules[*limav1alpha1.LimaVM]{
		New:      func() *limav1alpha1.LimaVM { return &limav1alpha1.LimaVM{} },
		Validate: gate.validate,
	})
}

// gate validates LimaVMs.
type gate struct {
	Config
	probe *limactl.Probe
	turns chan struct{} // one for each running validation
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
			"must be %d characters shorter: its sockets are in %s, and a socket's path has at most %d",
			len(path)-maxSocketPath(), g.Home, maxSocketPath()))}
	}
	other, err := sameName(ctx, reader, vm)
	if err != nil {
		return field.ErrorList{field.InternalError(name, err)}
	}
	if other != nil {
		return field.ErrorList{field.Invalid(name, vm.Name, fmt.Sprintf(
			"must be unique in the instance: a LimaVM of this name exists in the namespace %s", other.Namespace))}
	}
	return g.checkTemplate(ctx, reader, vm, vm.Spec.TemplateRef.Name)
}

// checkTemplate validates the template in a ConfigMap with the parameters. If limactl
// can't be run at all, the controller reports that instead.
func (g gate) checkTemplate(ctx context.Context, reader client.Reader, vm *limav1alpha1.LimaVM, name string) field.ErrorList {
	at := field.NewPath("spec", "templateRef", "name")
	source := &corev1.ConfigMap{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: vm.Namespace, Name: name}, source)
	if apierrors.IsNotFound(err) {
		if name == vm.TemplateCopy() {
			return nil // the controller creates it again
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

// ask makes limactl validate the template of the named ConfigMap.
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
		return field.ErrorList{admission.Undecided(at, apierrors.NewTooManyRequests("limactl is validating other templates: try again later", 1))}
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

// sameName returns the oldest other LimaVM of the name; nil if there is none.
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

// older reports whether a LimaVM was created before another.
func older(a, b *limav1alpha1.LimaVM) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}
