// SPDX-License-Identifier: Apache-2.0

// Package admission decides in code about writes to RDD's kinds, where neither
// a schema nor a policy in CEL can. A hook is the same in the daemon, whose API
// server calls it in the process, and in a process of its own, which the API
// server calls as a webhook.
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

// Rules are what a hook does with objects of type T when they are created or
// updated; subresources, and objects that are being deleted, pass. Rules have
// no effect but their result, so that a dry run is one.
type Rules[T client.Object] struct {
	// New returns an empty object.
	New func() T
	// Default fills in what is missing. It may be asked about the same object
	// again, and changes nothing then. nil for nothing to fill in.
	Default func(ctx context.Context, reader client.Reader, object T) error
	// Validate returns what is wrong: the field, its value, and what is allowed.
	// old is nil for an object that is created. nil for nothing to check.
	Validate func(ctx context.Context, reader client.Reader, object, old T) field.ErrorList
}

// Hook decides about the writes and the deletions of one resource.
type Hook struct {
	Resource schema.GroupVersionResource
	// Default answers with patches; nil where the hook fills nothing in.
	Default Decide
	// Validate answers whether a write is allowed; nil where the hook has
	// nothing to check.
	Validate Decide
	// Delete answers whether a deletion is allowed; nil where all are.
	Delete Decide
}

// Decide answers a request with what the reader shows.
type Decide func(ctx context.Context, reader client.Reader, request admission.Request) admission.Response

// NewHook returns a hook that does what the rules say.
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

// object returns the object of a request, or a response where there is nothing
// to decide about it.
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
		return object, &allowed // it is on its way out, and must get there
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

// Undecided is for the list that [Rules].Validate returns: it can't be told whether the
// object is valid, for the reason err. The client gets the status of err, and may try
// again.
func Undecided(at *field.Path, err error) *field.Error {
	return &field.Error{Type: field.ErrorTypeInternal, Field: at.String(), BadValue: err, Detail: err.Error()}
}

// undecided returns the reason of the first [Undecided] in a list; nil for none.
func undecided(list field.ErrorList) error {
	for _, wrong := range list {
		if err, ok := wrong.BadValue.(error); ok && wrong.Type == field.ErrorTypeInternal {
			return err
		}
	}
	return nil
}

// refusal is the answer for an error, which keeps its status where it has one.
func refusal(err error) admission.Response {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	result := status.Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &result}}
}
