// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/admission"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	rddadmission "github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
)

const hookedName = "Hooks"

// hooked calls the admission hooks of this process, as the API server calls webhooks:
// with the same requests, but without a connection that can fail. Until it has a reader
// for them, it rejects requests for their resources.
type hooked struct {
	*admission.Handler
	hooks  []rddadmission.Hook
	ready  chan struct{} // closed when there is a reader
	reader client.Reader // set before ready is closed
}

func newHooked(hooks []rddadmission.Hook) *hooked {
	return &hooked{
		Handler: admission.NewHandler(admission.Create, admission.Update, admission.Delete),
		hooks:   hooks,
		ready:   make(chan struct{}),
	}
}

func (h *hooked) register(plugins *admission.Plugins) {
	plugins.Register(hookedName, func(io.Reader) (admission.Interface, error) { return h, nil })
}

// start enables the hooks.
func (h *hooked) start(reader client.Reader) {
	h.reader = reader
	close(h.ready)
}

// Admit implements [admission.MutationInterface].
func (h *hooked) Admit(ctx context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	if attributes.GetOperation() == admission.Delete {
		return nil // a deletion needs no defaults
	}
	return h.ask(ctx, attributes, func(hook rddadmission.Hook) rddadmission.Decide { return hook.Default })
}

// Validate implements [admission.ValidationInterface].
func (h *hooked) Validate(ctx context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	return h.ask(ctx, attributes, func(hook rddadmission.Hook) rddadmission.Decide {
		if attributes.GetOperation() == admission.Delete {
			return hook.Delete
		}
		return hook.Validate
	})
}

func (h *hooked) ask(ctx context.Context, attributes admission.Attributes, of func(rddadmission.Hook) rddadmission.Decide) error {
	for _, hook := range h.hooks {
		decide := of(hook)
		if decide == nil || attributes.GetResource() != hook.Resource || attributes.GetSubresource() != "" {
			continue
		}
		select {
		case <-h.ready:
		default:
			return apierrors.NewServiceUnavailable("the control plane is starting and can't validate yet: " + hook.Resource.Resource)
		}
		request, err := newRequest(attributes)
		if err != nil {
			return apierrors.NewInternalError(err)
		}
		response := decide(ctx, h.reader, request)
		if !response.Allowed {
			return refused(response)
		}
		if err := patch(attributes.GetObject(), response); err != nil {
			return apierrors.NewInternalError(err)
		}
	}
	return nil
}

// newRequest creates the request that a webhook would receive.
func newRequest(attributes admission.Attributes) (ctrladmission.Request, error) {
	object, err := raw(attributes.GetObject())
	if err != nil {
		return ctrladmission.Request{}, err
	}
	old, err := raw(attributes.GetOldObject())
	if err != nil {
		return ctrladmission.Request{}, err
	}
	who, dryRun := attributes.GetUserInfo(), attributes.IsDryRun()
	return ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID:       uuid.NewUUID(),
		Kind:      metav1.GroupVersionKind(attributes.GetKind()),
		Resource:  metav1.GroupVersionResource(attributes.GetResource()),
		Name:      attributes.GetName(),
		Namespace: attributes.GetNamespace(),
		Operation: admissionv1.Operation(attributes.GetOperation()),
		UserInfo:  authenticationv1.UserInfo{Username: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups()},
		Object:    object,
		OldObject: old,
		DryRun:    &dryRun,
	}}, nil
}

func raw(object runtime.Object) (runtime.RawExtension, error) {
	if object == nil {
		return runtime.RawExtension{}, nil
	}
	data, err := json.Marshal(object)
	return runtime.RawExtension{Raw: data}, err
}

// refused returns the error for the client.
func refused(response ctrladmission.Response) error {
	if response.Result == nil {
		return apierrors.NewInternalError(errors.New("an admission hook denied the request without a reason"))
	}
	status := *response.Result
	status.Status = metav1.StatusFailure
	return &apierrors.StatusError{ErrStatus: status}
}

// patch applies the patches of a response to the object, which is a custom resource.
func patch(object runtime.Object, response ctrladmission.Response) error {
	if len(response.Patches) == 0 {
		return nil
	}
	custom, ok := object.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("admission hooks can't change a %T", object)
	}
	operations, err := json.Marshal(response.Patches)
	if err != nil {
		return err
	}
	decoded, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		return err
	}
	before, err := custom.MarshalJSON()
	if err != nil {
		return err
	}
	after, err := decoded.Apply(before)
	if err != nil {
		return err
	}
	return custom.UnmarshalJSON(after)
}
