// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writer writes mirrors, and records each write in the table.
type writer struct {
	client client.Client
	table  *table
	// counted is called after each write, with its verb.
	counted func(verb string, m client.Object)
}

// create creates a mirror without its status. m is set to the created version.
func (w *writer) create(ctx context.Context, m client.Object) error {
	if err := w.client.Create(ctx, m); err != nil {
		return err
	}
	w.wrote("create", m)
	return nil
}

// status writes the status of a mirror. updated is set to the written version.
func (w *writer) status(ctx context.Context, updated client.Object) error {
	err := w.client.Status().Update(ctx, updated)
	switch {
	case err == nil:
		w.wrote("update", updated)
	case apierrors.IsNotFound(err):
		w.table.removed(updated)
	}
	return err
}

// patch writes the difference between have and updated, and fails if another client
// wrote the mirror since. updated is set to the written version.
func (w *writer) patch(ctx context.Context, have, updated client.Object) error {
	if err := w.client.Patch(ctx, updated, client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	w.wrote("update", updated)
	return nil
}

// remove removes a mirror without a call to the engine.
func (w *writer) remove(ctx context.Context, have client.Object) error {
	if err := release(ctx, w.client, have); err != nil {
		return err
	}
	w.table.removed(have)
	w.counted("delete", have)
	return nil
}

func (w *writer) wrote(verb string, m client.Object) {
	w.table.wrote(m)
	w.counted(verb, m)
}
