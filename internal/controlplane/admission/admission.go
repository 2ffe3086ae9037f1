// SPDX-License-Identifier: Apache-2.0

// Package admission implements admission in code for RDD's kinds, for rules that
// neither a schema nor CEL can express. A hook works the same in the daemon, whose API
// server calls it directly, and in another process, which the API server calls as a
// webhook.
package admission

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Rules are a hook's behavior for created and updated objects of type T; subresources,
// and objects that are being deleted, are admitted. Rules have no side effects, so that
// dry runs are safe.
type Rules[T client.Object] struct {
	// New returns an empty object.
	New func() T
	// Default sets missing fields. It must be idempotent. It may be nil.
	Default func(ctx context.Context, reader client.Reader, object T) error
	// Validate returns errors with the field, its value, and what is allowed. old is
	// nil for a new object. Validate may be nil.
	Validate func(ctx context.Context, reader client.Reader, object, old T) field.ErrorList
}

// Hook is the admission of writes and deletions of one resource.
type Hook struct {
	Resource schema.GroupVersionResource
	// Default returns patches; nil if the hook sets no defaults.
	Default Decide
	// Validate returns whether a write is allowed; nil if the hook checks none.
	Validate Decide
	// Delete returns whether a deletion is allowed; nil if all are.
	Delete Decide
}

// Decide answers a request, reading objects with the reader.
type Decide func(ctx context.Context, reader client.Reader, request admission.Request) admission.Response

// NewHook returns a hook with the rules.
func NewHook[T client.Object](resource schema.GroupVersionResource, kind string, rules Rules[T]) Hook {
	hook := Hook{Resource: resource}
	if rules.Default != nil {
		hook.Default = rules.fillIn
	}
	if rules.Validate != nil {
		groupKind := schema.GroupKind{Group: resource.Group, Kind: kind}
		hook.Validate = func(ctx context.Context, reader client.Reader, request admission.Request) admission.Response {
			return rules.check(ctx, reader, groupKind, request)
		}
	}
	return hook
}

// object returns the object of a request, or a response if it needs no decision.
func (r Rules[T]) object(request admission.Request) (T, *admission.Response) {
	object := r.New()
	allowed := admission.Allowed("")
	if request.SubResource != "" || (request.Operation != admissionv1.Create && request.Operation != admissionv1.Update) {
		return object, &allowed
	}
	if err := json.Unmarshal(request.Object.Raw, object); err != nil {
		malformed := admission.Errored(http.StatusBadRequest, err)
		return object, &malformed
	}
	if object.GetDeletionTimestamp() != nil {
		return object, &allowed // it is being deleted, which must not be blocked
	}
	return object, nil
}

func (r Rules[T]) fillIn(ctx context.Context, reader client.Reader, request admission.Request) admission.Response {
	object, decided := r.object(request)
	if decided != nil {
		return *decided
	}
	if err := r.Default(ctx, reader, object); err != nil {
		return refusal(err)
	}
	defaulted, err := json.Marshal(object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted)
}

func (r Rules[T]) check(ctx context.Context, reader client.Reader, kind schema.GroupKind, request admission.Request) admission.Response {
	object, decided := r.object(request)
	if decided != nil {
		return *decided
	}
	var old T
	if request.Operation == admissionv1.Update {
		old = r.New()
		if err := json.Unmarshal(request.OldObject.Raw, old); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	if wrong := r.Validate(ctx, reader, object, old); len(wrong) > 0 {
		if err := undecided(wrong); err != nil {
			return refusal(err)
		}
		return refusal(apierrors.NewInvalid(kind, object.GetName(), wrong))
	}
	return admission.Allowed("")
}

// Undecided is an error for the list of [Rules].Validate: err prevents the validation.
// The client gets the status of err, and may retry.
func Undecided(at *field.Path, err error) *field.Error {
	return &field.Error{Type: field.ErrorTypeInternal, Field: at.String(), BadValue: err, Detail: err.Error()}
}

// undecided returns the error of the first [Undecided] in a list; nil if there is none.
func undecided(list field.ErrorList) error {
	for _, wrong := range list {
		if err, ok := wrong.BadValue.(error); ok && wrong.Type == field.ErrorTypeInternal {
			return err
		}
	}
	return nil
}

// refusal returns the response for an error, with the error's status if it has one.
func refusal(err error) admission.Response {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	result := status.Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &result}}
}
