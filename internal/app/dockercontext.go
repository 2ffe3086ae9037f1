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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/secret"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// dockerContext keeps the Docker context of the App's engine, where the App is
// that of an instance. Else there is none, and nothing is done.
type dockerContext struct {
	keeper *dockercontext.Keeper // nil for an App of another cluster
	secret *secretWatch          // nil where keeper is
	reader client.Reader         // not from a cache
	// host is the endpoint that a context is wanted for; empty for none, and before
	// one was. It is for the one reconcile at a time.
	host  string
	waker background.Waker
}

// newDockerContext adds the keeper of the context to the controller's host.
func newDockerContext(host manager.Host) (*dockerContext, error) {
	d := &dockerContext{reader: host.GetAPIReader()}
	d.wake() // an App that is gone may have left a context, which no other event reports
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

// state returns how far the keeper is.
func (d *dockerContext) state() dockercontext.State {
	if d.keeper == nil {
		return dockercontext.State{}
	}
	return d.keeper.State()
}

// gone takes the context away, and reports whether that was tried: what can't be
// written is tried again, and blocks nothing. The end of the try wakes the
// reconciler.
func (d *dockerContext) gone() bool {
	if d.keeper == nil {
		return true
	}
	d.unwanted()
	return !d.state().Busy
}

// unwanted has the context go.
func (d *dockerContext) unwanted() {
	d.host = ""
	d.secret.want(client.ObjectKey{})
	d.keeper.Want(nil)
}

// wanted has the context be there for an engine, as its Secret is now. A change
// of the Secret wakes the reconciler.
func (d *dockerContext) wanted(ctx context.Context, e *containersv1alpha1.ContainerEngine) {
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

// version returns the resource version of a Secret; empty where it can't be
// read, which is told by whoever reads the Secret itself.
func (d *dockerContext) version(ctx context.Context, key client.ObjectKey) string {
	found := metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := d.reader.Get(ctx, key, &found); err != nil {
		return ""
	}
	return found.ResourceVersion
}

// keepContext has the context be as the engine is, and returns what Settled says
// then: it waits for the first try, if that takes no longer than
// [dockercontext.State] says, and no failure unsettles.
func (s *scope) keepContext(ctx context.Context, settled metav1.Condition) metav1.Condition {
	if s.docker.keeper == nil {
		return settled
	}
	switch s.contextWish() {
	case contextWanted:
		s.docker.wanted(ctx, s.engine)
	case contextUnwanted:
		s.docker.unwanted()
	}
	state := s.docker.state()
	s.reportContext(state)
	switch {
	case settled.Status != metav1.ConditionTrue:
	case state.Busy:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonWaitingForEngine, Message: "looking at the Docker contexts"}
	case state.Err != nil:
		settled.Message += "; the Docker context failed: " + state.Err.Error()
	}
	return settled
}

type wish int

const (
	contextAsItIs wish = iota
	contextWanted
	contextUnwanted
)

// contextWish returns what is to become of the context. A connection that broke,
// or is not there yet after a start of the daemon, changes nothing: the engine
// may be back in a moment, and where it is has not changed.
func (s *scope) contextWish() wish {
	if s.engine == nil || s.leaving || !s.app.Spec.Running || s.engine.Spec.Type != containersv1alpha1.EngineMoby ||
		s.docker.host != "" && s.docker.host != s.engine.Spec.Endpoint {
		return contextUnwanted
	}
	ready, acted := s.ready()
	if !acted {
		return contextAsItIs
	}
	switch ready.Reason {
	case containersv1alpha1.ReasonConnected:
		return contextWanted
	case containersv1alpha1.ReasonConnecting, containersv1alpha1.ReasonConnectFailed, containersv1alpha1.ReasonDisconnected,
		containersv1alpha1.ReasonWrongProtocol:
		return contextAsItIs
	}
	return contextUnwanted
}

// reportContext says in the status how far the keeper is.
func (s *scope) reportContext(state dockercontext.State) {
	s.app.Status.DockerContext, s.app.Status.DockerContextError = state.Name, ""
	if state.Err != nil {
		s.app.Status.DockerContextError = bounded.Text(state.Err.Error())
	}
}
