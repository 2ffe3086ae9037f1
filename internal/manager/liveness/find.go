// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// renewals is the minimum number of renewals of a Lease within its duration.
const renewals = 3

// Finder finds controllers that no process runs, for a program that runs once.
type Finder struct {
	Reader client.Reader // must know the kind Lease
	Clock  clock.Clock
}

// Find returns the controllers that no process runs. conditions has the conditions that
// each controller writes; leave out a controller without objects. If the wall clock
// can't decide whether a Lease has expired, Find waits some seconds for a renewal.
func (f Finder) Find(ctx context.Context, conditions map[string][]metav1.Condition) ([]Absence, error) {
	leases, err := f.read(ctx, conditions)
	if err != nil {
		return nil, err
	}
	var gone []Absence
	var pause time.Duration
	doubtful := map[string]*coordinationv1.Lease{}
	for controller, lease := range leases {
		is, sure := f.judge(lease, conditions[controller])
		switch {
		case !sure:
			doubtful[controller] = lease
			pause = max(pause, durationOf(lease)/renewals+time.Second)
		case is:
			gone = append(gone, Absence{Controller: controller, Holder: holder(lease)})
		}
	}
	if len(doubtful) == 0 {
		return gone, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.Clock.After(pause):
	}
	if leases, err = f.read(ctx, conditions); err != nil {
		return nil, err
	}
	for controller, before := range doubtful {
		if versionOf(leases[controller]) == versionOf(before) {
			gone = append(gone, Absence{Controller: controller, Holder: holder(before)})
		}
	}
	return gone, nil
}

// judge reports whether a controller is gone, and whether that is certain.
func (f Finder) judge(lease *coordinationv1.Lease, conditions []metav1.Condition) (gone, sure bool) {
	switch holder(lease) {
	case "":
		return lease != nil || len(conditions) > 0, true // otherwise it never ran
	case manager.EmbeddedKey:
		return false, true // the daemon, which is running
	}
	if lease.Spec.RenewTime == nil {
		return false, false
	}
	age := f.Clock.Since(lease.Spec.RenewTime.Time)
	if age >= 0 && age <= durationOf(lease)+grace {
		return false, true
	}
	return true, AnyMarked(conditions)
}

func (f Finder) read(ctx context.Context, controllers map[string][]metav1.Condition) (map[string]*coordinationv1.Lease, error) {
	found := map[string]*coordinationv1.Lease{}
	for controller := range controllers {
		lease := &coordinationv1.Lease{}
		key := client.ObjectKey{Namespace: manager.SystemNamespace, Name: manager.LeaseName(controller)}
		switch err := f.Reader.Get(ctx, key, lease); {
		case client.IgnoreNotFound(err) != nil:
			return nil, fmt.Errorf("read the lease of the controller %s: %w", controller, err)
		case err != nil:
			found[controller] = nil
		default:
			found[controller] = lease
		}
	}
	return found, nil
}
