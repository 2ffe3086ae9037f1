// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// leaseTest is a control plane, and holders with independent clocks, which are never
// compared.
type leaseTest struct {
	*testing.T
	config *rest.Config
	client kubernetes.Interface
}

func newLeaseTest(t *testing.T) leaseTest {
	t.Helper()
	config := controlplanetest.Start(t).Server.ClientConfig()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return leaseTest{t, config, client}
}

func (t leaseTest) holder(identity string, clock *testclock.FakeClock) *lease {
	return &lease{
		client: t.client, name: "rdd-controller-test", clock: clock, log: slog.New(slog.DiscardHandler),
		holder: Holder{Identity: identity, Duration: 15 * time.Second},
	}
}

func (t leaseTest) try(l *lease, want string) {
	t.Helper()
	if holder, err := l.try(t.Context()); err != nil || holder != want {
		t.Errorf("%s tries: held by %q, %v; want %q", l.holder.Identity, holder, err, want)
	}
}

func TestLeaseExpires(t *testing.T) {
	lt := newLeaseTest(t)
	ours, theirs := testclock.NewFakeClock(time.Now()), testclock.NewFakeClock(time.Now().Add(-time.Hour))
	first, second := lt.holder("first", ours), lt.holder("second", theirs)
	lt.try(first, "first")
	lt.try(second, "first")
	theirs.Step(14 * time.Second)
	lt.try(second, "first")
	ours.Step(10 * time.Second)
	lt.try(first, "first") // a renewal
	theirs.Step(2 * time.Second)
	lt.try(second, "first") // observed as changed
	theirs.Step(16 * time.Second)
	lt.try(second, "second")
	lt.try(first, "second")
	if err := first.release(t.Context()); err != nil { // it does not release another holder's lease
		t.Error(err)
	}
	lt.try(first, "second")
	if err := second.release(t.Context()); err != nil {
		t.Error(err)
	}
	lt.try(first, "first")
}

func TestLeaseIsLost(t *testing.T) {
	lt := newLeaseTest(t)
	clock := testclock.NewFakeClock(time.Now())
	first, thief := lt.holder("first", clock), lt.holder("thief", clock)
	lt.try(first, "first")
	lost := make(chan error, 1)
	go func() { lost <- first.hold(t.Context()) }()
	leases := lt.client.CoordinationV1().Leases(SystemNamespace)
	held, err := leases.Get(t.Context(), first.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	held.Spec.HolderIdentity = &thief.holder.Identity
	if _, err := leases.Update(t.Context(), held, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case err := <-lost:
			if err == nil || !strings.Contains(err.Error(), "acquired by thief") {
				t.Errorf("a lease that was taken: %v", err)
			}
			return
		case <-time.After(time.Millisecond):
			clock.Step(time.Second)
		}
	}
}

// TestLeaseOfTheDaemon: the daemon's next run holds the lease of the previous one,
// without a write if that renewed it recently.
func TestLeaseOfTheDaemon(t *testing.T) {
	lt := newLeaseTest(t)
	clock := testclock.NewFakeClock(time.Now())
	last, next := lt.holder(EmbeddedKey, clock), lt.holder(EmbeddedKey, clock)
	last.holder, next.holder = Embedded(), Embedded()
	lt.try(last, EmbeddedKey)
	if err := last.release(t.Context()); err != nil {
		t.Error(err)
	}
	lt.try(next, EmbeddedKey)
	if next.last.ResourceVersion != last.last.ResourceVersion || ptr.Deref(next.last.Spec.HolderIdentity, "") != EmbeddedKey {
		t.Errorf("the lease was written again: %v", next.last)
	}
	clock.Step(50 * time.Minute)
	lt.try(next, EmbeddedKey)
	if next.last.ResourceVersion == last.last.ResourceVersion {
		t.Error("a lease that is about to expire is not renewed")
	}
}

func TestLeaseCannotBeRead(t *testing.T) {
	lt := newLeaseTest(t)
	l := lt.holder("first", testclock.NewFakeClock(time.Now()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.acquire(ctx, func(string) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: %v", err)
	}
	stranger := rest.CopyConfig(lt.config)
	stranger.Impersonate = rest.ImpersonationConfig{UserName: "stranger"}
	var err error
	if l.client, err = kubernetes.NewForConfig(stranger); err != nil {
		t.Fatal(err)
	}
	if err := l.acquire(t.Context(), func(string) error { return nil }); !forbidden(err) {
		t.Errorf("without the right to read it: %v", err)
	}
}
