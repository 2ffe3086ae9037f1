// SPDX-License-Identifier: Apache-2.0

// Package notes is the example controller of docs/extending.md.
package notes

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/examples/notes/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the group.
func Controllers() []manager.Controller {
	return []manager.Controller{{
		Name:        "note",
		Group:       "notes",
		Definitions: []manifest.Source{{Files: v1alpha1.Files, Path: "crds/notes.example.com_notes.yaml"}},
		Hooks:       []admission.Hook{oncePerNamespace()},
		AddToScheme: v1alpha1.AddToScheme,
		Setup:       setup,
	}}
}

func setup(host manager.Host) error {
	host.Serve("total", total(host.GetClient()))
	return ctrl.NewControllerManagedBy(host).
		Named("note").
		For(&v1alpha1.Note{}).
		Complete(manager.Patient(&reconciler{client: host.GetClient()}))
}

type reconciler struct{ client client.Client }

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	note := &v1alpha1.Note{}
	if err := r.client.Get(ctx, request.NamespacedName, note); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	before := note.DeepCopy()
	note.Status.ObservedGeneration = note.Generation
	note.Status.Words = int32(len(strings.Fields(note.Spec.Text)))
	if note.Status == before.Status {
		return reconcile.Result{}, nil // do not write an unchanged status
	}
	return reconcile.Result{}, client.IgnoreNotFound(r.client.Status().Patch(ctx, note, client.MergeFrom(before)))
}

// oncePerNamespace refuses a text that another note of the namespace has.
func oncePerNamespace() admission.Hook {
	return admission.NewHook(v1alpha1.GroupVersion.WithResource("notes"), "Note", admission.Rules[*v1alpha1.Note]{
		New: func() *v1alpha1.Note { return &v1alpha1.Note{} },
		Validate: func(ctx context.Context, reader client.Reader, note, _ *v1alpha1.Note) field.ErrorList {
			var others v1alpha1.NoteList
			if err := reader.List(ctx, &others, client.InNamespace(note.Namespace)); err != nil {
				return field.ErrorList{field.InternalError(field.NewPath("spec", "text"), err)}
			}
			for _, other := range others.Items {
				if other.Name != note.Name && other.Spec.Text == note.Spec.Text {
					return field.ErrorList{field.Duplicate(field.NewPath("spec", "text"), note.Spec.Text)}
				}
			}
			return nil
		},
	})
}

// total answers with the number of words in all notes.
func total(reader client.Reader) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var notes v1alpha1.NoteList
		if err := reader.List(r.Context(), &notes); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sum := int32(0)
		for _, note := range notes.Items {
			sum += note.Status.Words
		}
		_, _ = fmt.Fprintln(w, sum)
	})
}
