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

// renewals is how often a holder renews its Lease within its duration, at least.
const renewals = 3

// Finder finds controllers that are gone for a program that looks once.
type Finder struct {
	Reader client.Reader // must know the kind Lease
	Clock  clock.Clock
}

// Find returns those of the controllers that are gone. Of each are given the
// conditions of the objects that it keeps, and a controller without objects must
// be left out. If the wall clock leaves it open whether a Lease has expired, Find
// waits for a renewal, for some seconds.
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

// judge reports whether a controller is gone, and whether that is sure.
func (f Finder) judge(lease *coordinationv1.Lease, conditions []metav1.Condition) (gone, sure bool) {
	switch holder(lease) {
	case "":
		return lease != nil || len(conditions) > 0, true // else it never ran
	case manager.EmbeddedKey:
		return false, true // the daemon, which answers
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
			return nil, fmt.Errorf("read who runs the controller %s: %w", controller, err)
		case err != nil:
			found[controller] = nil
		default:
			found[controller] = lease
		}
	}
	return found, nil
}
