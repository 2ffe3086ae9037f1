// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// ControllersGroup is the group of the users of RDD's controllers.
const ControllersGroup = "rdd:controllers"

// collectors are the users that delete the objects of a deleted owner.
var collectors = [...]string{
	"system:serviceaccount:kube-system:generic-garbage-collector",
	"system:serviceaccount:kube-system:namespace-controller",
}

// NewDeletionHook returns a hook for deletions. why returns the reason to deny one,
// empty to allow it. It is not called for objects that are already being deleted, or
// for deletions by RDD's controllers, the garbage collector or the namespace
// controller.
func NewDeletionHook[T client.Object](resource schema.GroupVersionResource, empty func() T,
	why func(ctx context.Context, reader client.Reader, object T) (string, error)) Hook {
	return Hook{Resource: resource, Delete: func(ctx context.Context, reader client.Reader, request admission.Request) admission.Response {
		if request.Operation != admissionv1.Delete || request.SubResource != "" || collects(request.UserInfo) {
			return admission.Allowed("")
		}
		object := empty()
		if err := json.Unmarshal(request.OldObject.Raw, object); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if object.GetDeletionTimestamp() != nil {
			return admission.Allowed("")
		}
		reason, err := why(ctx, reader, object)
		if err != nil {
			return refusal(err)
		}
		if reason != "" {
			return refusal(apierrors.NewForbidden(resource.GroupResource(), object.GetName(), errors.New(reason)))
		}
		return admission.Allowed("")
	}}
}

// collects reports whether a user is one of the collectors.
func collects(user authenticationv1.UserInfo) bool {
	return slices.Contains(user.Groups, ControllersGroup) || slices.Contains(collectors[:], user.Username)
}
