// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
)

// hook returns the checks that neither a schema nor CEL can do: they depend on the size
// of this machine. Only RDD's own control plane calls them, because its machine runs
// the virtual machine.
func hook(h host) admission.Hook {
	checked := admission.NewHook(appv1alpha1.GroupVersion.WithResource("apps"), "App", admission.Rules[*appv1alpha1.App]{
		New: func() *appv1alpha1.App { return &appv1alpha1.App{} },
		Validate: func(_ context.Context, _ client.Reader, app, old *appv1alpha1.App) field.ErrorList {
			return h.validate(app, old)
		},
	})
	checked.Default = h.fillIn
	return checked
}

var (
	vmPath     = field.NewPath("spec", "virtualMachine")
	cpusPath   = vmPath.Child("cpus")
	memoryPath = vmPath.Child("memory")
)

// fillIn sets the defaults of cpus and memory if they are missing or 0. It edits the
// JSON, because encoding the Go type would change how other quantities are written.
func (h host) fillIn(_ context.Context, _ client.Reader, request ctrladmission.Request) ctrladmission.Response {
	if request.SubResource != "" || request.Operation != admissionv1.Create && request.Operation != admissionv1.Update {
		return ctrladmission.Allowed("")
	}
	var object map[string]any
	if err := json.Unmarshal(request.Object.Raw, &object); err != nil {
		return ctrladmission.Errored(http.StatusBadRequest, err)
	}
	if metadata, ok := object["metadata"].(map[string]any); ok && metadata["deletionTimestamp"] != nil {
		return ctrladmission.Allowed("") // it is being deleted
	}
	vm, ok := virtualMachine(object)
	if !ok {
		return ctrladmission.Allowed("") // the schema rejects it
	}
	if none(vm["cpus"]) {
		cpus, err := h.cpus()
		if err != nil {
			return refusal(request.Name, field.Invalid(cpusPath, 0, err.Error()))
		}
		vm["cpus"] = cpus
	}
	if memory := h.memory(); none(vm["memory"]) && memory >= leastMemory {
		vm["memory"] = quantity(memory).String()
	}
	filled, err := json.Marshal(object)
	if err != nil {
		return ctrladmission.Errored(http.StatusInternalServerError, err)
	}
	return ctrladmission.PatchResponseFromRaw(request.Object.Raw, filled)
}

// virtualMachine returns spec.virtualMachine, creating it if it is missing, and whether
// the object has the form for it.
func virtualMachine(object map[string]any) (vm map[string]any, ok bool) {
	for _, name := range []string{"spec", "virtualMachine"} {
		if object[name] == nil {
			object[name] = map[string]any{}
		}
		if object, ok = object[name].(map[string]any); !ok {
			return nil, false
		}
	}
	return object, true
}

// none reports whether a number or a quantity is missing, or 0.
func none(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case float64:
		return value == 0
	case string:
		parsed, err := resource.ParseQuantity(value)
		return err == nil && parsed.IsZero()
	}
	return false
}

// validate returns the settings that exceed this machine. An unchanged setting stays
// valid: the machine or the version of rdd may have been another one when it was set.
func (h host) validate(app, old *appv1alpha1.App) (wrong field.ErrorList) {
	vm, before := app.Spec.VirtualMachine, appv1alpha1.VirtualMachine{}
	if old != nil {
		before = old.Spec.VirtualMachine
	}
	if h.processors > 0 && int(vm.CPUs) > h.processors && vm.CPUs != before.CPUs {
		most := fmt.Sprintf("must be at most %d, the number of processors of this machine", h.processors)
		if h.getenv(CPUsEnv) == strconv.Itoa(int(vm.CPUs)) {
			most += " (" + CPUsEnv + " of the daemon makes it the default)"
		}
		wrong = append(wrong, field.Invalid(cpusPath, vm.CPUs, most))
	}
	if h.bytes > 0 && vm.Memory != nil && vm.Memory.CmpInt64(h.bytes) > 0 && (before.Memory == nil || vm.Memory.Cmp(*before.Memory) != 0) {
		wrong = append(wrong, field.Invalid(memoryPath, vm.Memory.String(),
			fmt.Sprintf("must be at most %s, the memory of this machine", quantity(h.bytes>>20<<20))))
	}
	return wrong
}

func refusal(name string, wrong *field.Error) ctrladmission.Response {
	kind := appv1alpha1.GroupVersion.WithKind("App").GroupKind()
	result := apierrors.NewInvalid(kind, name, field.ErrorList{wrong}).Status()
	return ctrladmission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &result}}
}
