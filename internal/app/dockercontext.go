// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/secret"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// dockerContext manages the Docker context of the App's engine. It does nothing unless
// the App belongs to an RDD instance.
type dockerContext struct {
	keeper *dockercontext.Keeper // nil in a cluster that is not RDD's
	secret *secretWatch          // nil if keeper is
	reader client.Reader         // not from a cache
	// host is the endpoint of the desired context; empty if none is desired. Only the
	// one reconcile at a time uses it.
	host  string
	waker background.Waker
}

// newDockerContext adds the keeper of the context to the controller's host.
func newDockerContext(host manager.Host) (*dockerContext, error) {
	d := &dockerContext{reader: host.GetAPIReader()}
	d.wake() // a deleted App may have left a context, which no other event reports
	if host.Instance == nil {
		return d, nil
	}
	dir, err := dockercontext.Dir(os.Getenv)
	if err != nil {
		return nil, err
	}
	if d.keeper, err = newKeeper(host.Instance, dir, host.Log, d.wake); err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfigAndClient(host.GetConfig(), host.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	d.secret = newSecretWatch(objects, d.wake)
	return d, errors.Join(host.Add(d.keeper), host.Add(d.secret))
}

func newKeeper(inst *instance.Instance, dir string, log *slog.Logger, changed func()) (*dockercontext.Keeper, error) {
	return dockercontext.NewKeeper(dockercontext.Config{
		Name:        inst.ContextName(),
		Description: fmt.Sprintf("Rancher Desktop (instance %s)", inst.Name()),
		Dir:         dir,
		Overridden:  dockercontext.Overridden(os.Getenv),
		Memory:      inst.ContextMemory(),
		Clock:       clock.RealClock{},
		Log:         log,
		Changed:     changed,
	})
}

func (d *dockerContext) wake() {
	d.waker.Wake(reconcile.Request{NamespacedName: client.ObjectKey{Name: appv1alpha1.AppName}})
}

// state returns the state of the keeper.
func (d *dockerContext) state() dockercontext.State {
	if d.keeper == nil {
		return dockercontext.State{}
	}
	return d.keeper.State()
}

// idle reports whether the last attempt to write or remove the context has ended. A
// failed attempt is retried, and does not block the caller. The end of the attempt wakes
// the reconciler.
func (d *dockerContext) idle() bool { return !d.state().Busy }

// remove makes the keeper remove the context.
func (d *dockerContext) remove() {
	if d.keeper == nil {
		return
	}
	d.host = ""
	d.secret.want(client.ObjectKey{})
	d.keeper.Want(nil)
}

// set makes the keeper write the context for an engine, with its current Secret. A
// change of the Secret wakes the reconciler.
func (d *dockerContext) set(ctx context.Context, e *containersv1alpha1.ContainerEngine) {
	target := &dockercontext.Target{Host: e.Spec.Endpoint}
	key := client.ObjectKey{}
	if name := e.SecretName(); name != "" {
		key = client.ObjectKey{Namespace: e.Namespace, Name: name}
		target.Secret, target.SecretVersion = secret.Ref{Key: key, Reader: d.reader}, d.version(ctx, key)
	}
	d.secret.want(key)
	d.host = target.Host
	d.keeper.Want(target)
}

// version returns the resource version of a Secret; empty if it can't be read, which
// the keeper reports when it reads the Secret itself.
func (d *dockerContext) version(ctx context.Context, key client.ObjectKey) string {
	found := metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := d.reader.Get(ctx, key, &found); err != nil {
		return ""
	}
	return found.ResourceVersion
}

// keepContext brings the context to its desired state, and returns Settled. Settled
// waits for the first attempt, for at most as long as [dockercontext.State] is busy; a
// failure does not make it False.
func (s *scope) keepContext(ctx context.Context, settled metav1.Condition) metav1.Condition {
	if s.docker.keeper == nil {
		return settled
	}
	switch s.desiredContext() {
	case contextSet:
		s.docker.set(ctx, s.engine)
	case contextRemove:
		s.docker.remove()
	}
	state := s.docker.state()
	s.reportContext(state)
	switch {
	case settled.Status != metav1.ConditionTrue:
	case state.Busy:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonWaitingForEngine, Message: "reading the Docker contexts"}
	case state.Err != nil:
		settled.Message += "; updating the Docker context failed: " + state.Err.Error()
	}
	return settled
}

type contextAction int

const (
	contextKeep contextAction = iota
	contextSet
	contextRemove
)

// desiredContext returns what to do with the context. A broken connection, or one that
// is not established yet after a start of the daemon, changes nothing: the engine may
// return at the same endpoint.
func (s *scope) desiredContext() contextAction {
	if s.engine == nil || s.leaving || !s.app.Spec.Running || !traits.Of(s.engine.Spec.Type).IsDockerAPI ||
		s.docker.host != "" && s.docker.host != s.engine.Spec.Endpoint {
		return contextRemove
	}
	ready, acted := s.ready()
	if !acted {
		return contextKeep
	}
	switch ready.Reason {
	case containersv1alpha1.ReasonConnected:
		return contextSet
	case containersv1alpha1.ReasonConnecting, containersv1alpha1.ReasonConnectFailed, containersv1alpha1.ReasonDisconnected,
		containersv1alpha1.ReasonPermissionDenied, containersv1alpha1.ReasonWrongProtocol:
		return contextKeep
	}
	return contextRemove
}

// reportContext writes the keeper's state into the status.
func (s *scope) reportContext(state dockercontext.State) {
	s.app.Status.DockerContext, s.app.Status.DockerContextError = state.Name, ""
	if state.Err != nil {
		s.app.Status.DockerContextError = bounded.Text(state.Err.Error())
	}
}
