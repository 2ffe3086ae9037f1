// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

const (
	// leasePrefix is the prefix of the Leases' names; a controller's name follows.
	leasePrefix = "rdd-controller-"

	// leasePoll is the interval between reads of another holder's lease.
	leasePoll = 2 * time.Second
	// leaseRetry is the pause after a failed attempt.
	leaseRetry = 500 * time.Millisecond

	// externalLease is how long a process's lease outlives its last renewal.
	externalLease = 15 * time.Second
	// embeddedLease is long because the daemon's manager lives as long as its API
	// server, and each renewal costs a write.
	embeddedLease = time.Hour
)

// LeaseName returns the name of the Lease of a controller, in [SystemNamespace].
func LeaseName(controller string) string { return leasePrefix + controller }

// Holder identifies a holder of leases.
type Holder struct {
	// Identity is unique among the running processes. A new process with the same
	// identity holds the leases of the previous one.
	Identity string
	// Duration is how long a lease outlives its last renewal.
	Duration time.Duration
	// Keep leaves the leases held at the end, for the next process with the same
	// identity.
	Keep bool
}

// Embedded returns the holder for the daemon's own manager.
func Embedded() Holder { return Holder{Identity: EmbeddedKey, Duration: embeddedLease, Keep: true} }

// External returns a holder for a process of its own.
func External(identity string) Holder { return Holder{Identity: identity, Duration: externalLease} }

// lease is the right to run one controller, which one process holds at a time, in a
// Lease. As in Kubernetes' leader election, clocks are never compared: a lease has
// expired when a reader has observed it unchanged for its duration.
type lease struct {
	client kubernetes.Interface
	name   string
	holder Holder
	clock  clock.Clock
	log    *slog.Logger

	last     *coordinationv1.Lease // as last read or written; nil before
	observed time.Time             // when last was first observed
}

func (l *lease) leases() coordinationclient.LeaseInterface {
	return l.client.CoordinationV1().Leases(SystemNamespace)
}

// acquire returns when the lease is held. It calls waiting with the identity of each
// other holder that it waits for, and fails with any error of waiting. It also fails if
// the first read fails, or reading is forbidden: another process may be running the
// controller. Other errors are retried.
func (l *lease) acquire(ctx context.Context, waiting func(holder string) error) error {
	current := ""
	var failures wording.Reported
	for first := true; ; first = false {
		pause := leasePoll
		holder, err := l.try(ctx)
		switch {
		case err != nil && (ctx.Err() != nil || first && errors.Is(err, errUnread) || forbidden(err)):
			return fmt.Errorf("acquire the lease %s: %w", l.name, err)
		case err != nil:
			if failures.Changed(l.name, err) {
				l.log.Warn("acquiring a lease failed, will retry", "lease", l.name, "error", err)
			}
			pause = leaseRetry
		case holder == l.holder.Identity:
			return nil
		case holder != current:
			current = holder
			if err := waiting(holder); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.clock.After(pause):
		}
	}
}

// errUnread is the error if a lease can't be read.
var errUnread = errors.New("read the lease")

func forbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// try acquires the lease if it is free, and returns the holder.
func (l *lease) try(ctx context.Context) (string, error) {
	for {
		current, err := l.leases().Get(ctx, l.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = l.write(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: l.name}})
		case err != nil:
			return "", fmt.Errorf("%w: %w", errUnread, err)
		default:
			l.observe(current)
			holder := ptr.Deref(current.Spec.HolderIdentity, "")
			if holder != "" && holder != l.holder.Identity && !l.expired() || l.fresh() {
				return holder, nil
			}
			err = l.write(ctx, current)
		}
		if err == nil {
			return l.holder.Identity, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			return "", err
		}
		// Another process was faster: read the lease again.
	}
}

func (l *lease) observe(current *coordinationv1.Lease) {
	if l.last == nil || l.last.UID != current.UID || l.last.ResourceVersion != current.ResourceVersion {
		l.last, l.observed = current, l.clock.Now()
	}
}

func (l *lease) expired() bool {
	duration := time.Duration(ptr.Deref(l.last.Spec.LeaseDurationSeconds, 0)) * time.Second
	return l.clock.Since(l.observed) > duration
}

// fresh reports whether the holder has the lease and need not renew it yet.
func (l *lease) fresh() bool {
	spec := l.last.Spec
	if ptr.Deref(spec.HolderIdentity, "") != l.holder.Identity || spec.RenewTime == nil {
		return false
	}
	age := l.clock.Since(spec.RenewTime.Time)
	return age >= 0 && age < l.holder.Duration/4
}

// write acquires or renews the lease. It fails with a conflict if the lease has changed
// since it was read.
func (l *lease) write(ctx context.Context, current *coordinationv1.Lease) error {
	now := metav1.NewMicroTime(l.clock.Now())
	next := current.DeepCopy()
	if ptr.Deref(next.Spec.HolderIdentity, "") != l.holder.Identity {
		next.Spec.AcquireTime = &now
		next.Spec.LeaseTransitions = ptr.To(ptr.Deref(next.Spec.LeaseTransitions, -1) + 1)
	}
	next.Spec.HolderIdentity = &l.holder.Identity
	next.Spec.LeaseDurationSeconds = ptr.To(int32(l.holder.Duration / time.Second)) //nolint:gosec // 15 seconds or so
	next.Spec.RenewTime = &now
	var err error
	if next.ResourceVersion == "" {
		if err := EnsureNamespace(ctx, l.client, SystemNamespace); err != nil {
			return err
		}
		next, err = l.leases().Create(ctx, next, metav1.CreateOptions{})
	} else {
		next, err = l.leases().Update(ctx, next, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}
	l.last, l.observed = next, now.Time
	return nil
}

// hold renews the lease until ctx ends, which is not an error, or the lease is lost:
// another process holds it, or renewals fail for too long.
func (l *lease) hold(ctx context.Context) error {
	pause := l.holder.Duration / 3
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.clock.After(pause):
		}
		pause = l.holder.Duration / 3
		attempt, cancel := context.WithTimeout(ctx, leasePoll)
		holder, err := l.try(attempt)
		cancel()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the attempt failed for that
		}
		switch {
		case err == nil && holder != l.holder.Identity:
			return fmt.Errorf("the lease %s was acquired by %s", l.name, holder)
		case err != nil && l.clock.Since(l.observed) > l.holder.Duration*2/3:
			return fmt.Errorf("the lease %s could not be renewed in time: %w", l.name, err)
		case err != nil:
			pause = leaseRetry
		}
	}
}

// release releases the lease, if the holder still has it.
func (l *lease) release(ctx context.Context) error {
	if l.holder.Keep || l.last == nil || ptr.Deref(l.last.Spec.HolderIdentity, "") != l.holder.Identity {
		return nil
	}
	return l.free(ctx)
}

func (l *lease) free(ctx context.Context) error {
	free := l.last.DeepCopy()
	free.Spec.HolderIdentity, free.Spec.RenewTime = nil, nil
	free.Spec.LeaseDurationSeconds = ptr.To[int32](1)
	_, err := l.leases().Update(ctx, free, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
