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
	// leasePrefix begins the names of the Leases, which end with a controller's.
	leasePrefix = "rdd-controller-"

	// leasePoll is how often another holder's lease is looked at.
	leasePoll = 2 * time.Second
	// leaseRetry is the pause after an attempt that failed.
	leaseRetry = 500 * time.Millisecond

	// externalLease is how long the right of a process outlives its last word.
	externalLease = 15 * time.Second
	// embeddedLease is so long because the daemon's manager is alive whenever
	// there is an API server to ask, and each renewal costs a write.
	embeddedLease = time.Hour
)

// LeaseName returns the name of the Lease of a controller, in [SystemNamespace].
func LeaseName(controller string) string { return leasePrefix + controller }

// Holder is who holds leases.
type Holder struct {
	// Identity is unique among those that run at the same time. What was held
	// under the same identity is the holder's already.
	Identity string
	// Duration is how long the right outlives the last renewal.
	Duration time.Duration
	// Keep leaves the leases held at the end, for the next one of that identity.
	Keep bool
}

// Embedded returns the holder for the daemon's own manager.
func Embedded() Holder { return Holder{Identity: EmbeddedKey, Duration: embeddedLease, Keep: true} }

// External returns a holder for a process of its own.
func External(identity string) Holder { return Holder{Identity: identity, Duration: externalLease} }

// lease is the right to run one controller, which one process has at a time. It
// is kept in a Lease. As with Kubernetes' own leader election, no other clock
// is compared with another's: a lease has expired when it was seen unchanged
// for as long as it says.
type lease struct {
	client kubernetes.Interface
	name   string
	holder Holder
	clock  clock.Clock
	log    *slog.Logger

	last *coordinationv1.Lease // as it was read or written last; nil before
	seen time.Time             // when it was first seen like that
}

func (l *lease) leases() coordinationclient.LeaseInterface {
	return l.client.CoordinationV1().Leases(SystemNamespace)
}

// acquire returns when the lease is held. waiting is called with the identity
// of each other holder that is waited for. It fails where the lease can't be
// read at first, or may not be, as whether another process is at work is unknown
// then, and with any error of waiting. Whatever else fails is tried again.
func (l *lease) acquire(ctx context.Context, waiting func(holder string) error) error {
	told := ""
	var failures wording.Told
	for first := true; ; first = false {
		pause := leasePoll
		holder, err := l.try(ctx)
		switch {
		case err != nil && (ctx.Err() != nil || first && errors.Is(err, errUnread) || forbidden(err)):
			return fmt.Errorf("take the lease %s: %w", l.name, err)
		case err != nil:
			if failures.News(l.name, err) {
				l.log.Warn("taking a lease failed, will try again", "lease", l.name, "error", err)
			}
			pause = leaseRetry
		case holder == l.holder.Identity:
			return nil
		case holder != told:
			told = holder
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

// errUnread says that a lease could not be read.
var errUnread = errors.New("it can't be read")

func forbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// try takes the lease where it is free, and returns who has it then.
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
		// Another process was faster: see which.
	}
}

func (l *lease) observe(current *coordinationv1.Lease) {
	if l.last == nil || l.last.UID != current.UID || l.last.ResourceVersion != current.ResourceVersion {
		l.last, l.seen = current, l.clock.Now()
	}
}

func (l *lease) expired() bool {
	duration := time.Duration(ptr.Deref(l.last.Spec.LeaseDurationSeconds, 0)) * time.Second
	return l.clock.Since(l.seen) > duration
}

// fresh reports whether the lease is the holder's own and needs no renewal yet.
func (l *lease) fresh() bool {
	spec := l.last.Spec
	if ptr.Deref(spec.HolderIdentity, "") != l.holder.Identity || spec.RenewTime == nil {
		return false
	}
	age := l.clock.Since(spec.RenewTime.Time)
	return age >= 0 && age < l.holder.Duration/4
}

// write makes the lease the holder's, from now on. It fails with a conflict
// where the lease is not as it was read.
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
	l.last, l.seen = next, now.Time
	return nil
}

// hold renews the lease until ctx ends, which is no error, or until it is lost:
// another process has it, or that is unknown.
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
			return fmt.Errorf("the lease %s was taken by %s", l.name, holder)
		case err != nil && l.clock.Since(l.seen) > l.holder.Duration*2/3:
			return fmt.Errorf("the lease %s could not be renewed in time: %w", l.name, err)
		case err != nil:
			pause = leaseRetry
		}
	}
}

// release gives the lease back, where it still is the holder's.
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
