// SPDX-License-Identifier: Apache-2.0

// Package mirror_test runs the mirror against engines, real and simulated, with
// the project's own API server.
package mirror_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/app"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

const (
	namespace = "rancher-desktop"

	// patience is how long anything may take that must come true: long, as a
	// busy machine is no failure.
	patience = 2 * time.Minute
)

// env is a control plane with the controllers running, and an engine's client.
type env struct {
	t       *testing.T
	control *controlplanetest.Env
	kube    ctrlclient.WithWatch
	// hands are what tests do to the engine with, and docker is its client where
	// it has Docker's API.
	hands  hands
	docker *client.Client
	// engineType is the engine's, and inEngine its namespace in which tests are.
	engineType containersv1alpha1.EngineType
	inEngine   string
	// endpoint is the engine's.
	endpoint string
	// adjust changes how the manager reaches the API server.
	adjust func(*rest.Config)
	// machines is the controller of virtual machines for an instance; both are
	// nil where there are none.
	machines *manager.Controller
	instance *instance.Instance
	// drivers are nil for the built-in ones.
	drivers engine.Drivers
	// log is nil for none.
	log slog.Handler

	// ran is the manager that runs, or ran last: one for a test and its subtests.
	ran *managerRun
}

// managerRun is one run of a manager, which stop ends, with its error.
type managerRun struct {
	manager *manager.Manager
	stop    func() error
}

func (e *env) controllers() []manager.Controller {
	drivers := e.drivers
	if drivers == nil {
		drivers = open.Drivers()
	}
	all := append(mirror.Controllers(drivers), app.Controllers()...)
	if e.machines != nil {
		all = append(all, *e.machines)
	}
	return all
}

// newEnv starts a control plane with the controllers, for the engine at the
// endpoint. Nothing is connected yet.
func newEnv(t *testing.T, docker *client.Client, endpoint string) *env {
	t.Helper()
	return newEnvWith(t, docker, endpoint, func(*rest.Config) {})
}

// newEnvWith is newEnv with another way for the manager to the API server.
func newEnvWith(t *testing.T, docker *client.Client, endpoint string, adjust func(*rest.Config)) *env {
	t.Helper()
	return prepareEnv(t, docker, endpoint, adjust).begin()
}

// prepareEnv is newEnvWith without its controllers.
func prepareEnv(t *testing.T, docker *client.Client, endpoint string, adjust func(*rest.Config)) *env {
	t.Helper()
	return &env{t: t, control: controlplanetest.Start(t), hands: dockerHands{docker}, docker: docker,
		engineType: containersv1alpha1.EngineMoby, inEngine: "moby", endpoint: endpoint, adjust: adjust, ran: &managerRun{}}
}

// begin installs the controllers' definitions, and starts the controllers.
func (e *env) begin() *env {
	e.t.Helper()
	e.control.Install(manager.Definitions(e.controllers()))
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, containersv1alpha1.AddToScheme, appv1alpha1.AddToScheme} {
		e.must(add(scheme))
	}
	var err error
	e.kube, err = ctrlclient.NewWithWatch(e.control.Server.ClientConfig(), ctrlclient.Options{Scheme: scheme})
	e.must(err)
	e.startManager()
	e.t.Cleanup(e.stopManager)
	return e
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) startManager() {
	e.t.Helper()
	config := e.control.Server.ClientConfig()
	e.adjust(config)
	log := slog.DiscardHandler
	if e.log != nil {
		log = e.log
	}
	m, err := manager.New(manager.Config{Controllers: e.controllers(), Instance: e.instance, REST: config, Holder: manager.Embedded(), Log: slog.New(log)})
	e.must(err)
	e.must(m.Setup(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	*e.ran = managerRun{manager: m, stop: sync.OnceValue(func() error {
		cancel()
		return <-ended
	})}
}

// stopManager stops the running manager.
func (e *env) stopManager() {
	e.t.Helper()
	if err := e.ran.stop(); err != nil {
		e.t.Errorf("the manager ended: %v", err)
	}
}

// restartManager ends the manager and starts another one.
func (e *env) restartManager() {
	e.t.Helper()
	e.stopManager()
	e.startManager()
}

// connect makes a ContainerEngine and waits until it is connected.
func (e *env) connect(name string) *containersv1alpha1.ContainerEngine {
	e.t.Helper()
	ce := e.create(name, namespace)
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	return ce
}

func (e *env) create(name, namespace string) *containersv1alpha1.ContainerEngine {
	e.t.Helper()
	return e.createWith(name, namespace, func(*containersv1alpha1.ContainerEngineSpec) {})
}

// createWith is create with changes to the spec.
func (e *env) createWith(name, namespace string, change func(*containersv1alpha1.ContainerEngineSpec)) *containersv1alpha1.ContainerEngine {
	e.t.Helper()
	ce := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: containersv1alpha1.ContainerEngineSpec{
			Type:         e.engineType,
			Endpoint:     e.endpoint,
			ResyncPeriod: &metav1.Duration{Duration: time.Hour}, // nothing is repaired behind a test's back
		},
	}
	change(&ce.Spec)
	err := e.kube.Create(e.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		e.t.Fatal(err)
	}
	e.must(e.kube.Create(e.t.Context(), ce))
	return ce
}

// update changes a ContainerEngine's spec.
func (e *env) update(ce *containersv1alpha1.ContainerEngine, change func(*containersv1alpha1.ContainerEngineSpec)) {
	e.t.Helper()
	before := ce.DeepCopy()
	change(&ce.Spec)
	e.must(e.kube.Patch(e.t.Context(), ce, ctrlclient.MergeFrom(before)))
}

func (e *env) setRunning(ce *containersv1alpha1.ContainerEngine, running bool) {
	e.t.Helper()
	e.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Running = ptr.To(running) })
}

// waitReason waits until a ContainerEngine has acted on its newest generation
// and is in the state that the reason names.
func (e *env) waitReason(ce *containersv1alpha1.ContainerEngine, reason string) {
	e.t.Helper()
	e.eventually("ContainerEngine "+ce.Name+" is "+reason, func() (bool, string) {
		if err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce); err != nil {
			return false, err.Error()
		}
		ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready == nil {
			return false, "no condition"
		}
		return ready.Reason == reason && ce.Status.ObservedGeneration == ce.Generation,
			ready.Reason + ": " + ready.Message
	})
}

// eventually waits until a condition holds, and says how it was last where it
// never does.
func (e *env) eventually(what string, condition func() (bool, string)) {
	e.t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		holds, state := condition()
		if holds {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("never: %s; last: %s", what, state)
		}
		select {
		case <-e.t.Context().Done():
			e.t.Fatal(e.t.Context().Err())
		case <-time.After(pause):
		}
	}
}

// list lists objects in the namespace.
func (e *env) list(list ctrlclient.ObjectList, options ...ctrlclient.ListOption) {
	e.t.Helper()
	e.must(e.kube.List(e.t.Context(), list, append(options, ctrlclient.InNamespace(namespace))...))
}

// versions returns the UID and the resource version of every mirror.
func (e *env) versions(options ...ctrlclient.ListOption) map[string]string {
	e.t.Helper()
	versions := map[string]string{}
	for _, list := range []ctrlclient.ObjectList{&containersv1alpha1.ContainerList{}, &containersv1alpha1.ImageList{},
		&containersv1alpha1.VolumeList{}, &containersv1alpha1.NetworkList{}, &containersv1alpha1.ContainerNamespaceList{}} {
		e.list(list, options...)
		e.must(apimeta.EachListItem(list, func(obj runtime.Object) error {
			m := obj.(ctrlclient.Object)
			versions[m.GetName()] = string(m.GetUID()) + "@" + m.GetResourceVersion()
			return nil
		}))
	}
	return versions
}

func (e *env) getEngine(name string) *containersv1alpha1.ContainerEngine {
	e.t.Helper()
	ce := &containersv1alpha1.ContainerEngine{}
	e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: name}, ce))
	return ce
}

// waitCompared waits for a comparison that begins after the call.
func (e *env) waitCompared(ce *containersv1alpha1.ContainerEngine) {
	e.t.Helper()
	began := time.Now()
	e.eventually("a comparison since "+began.String(), func() (bool, string) {
		e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
		last := ce.Status.LastSync
		return last != nil && last.Time.After(began.Add(time.Second)), fmt.Sprint(last)
	})
}

// deleteNamespace deletes a namespace and waits until it is gone.
func (e *env) deleteNamespace(name string) {
	e.t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	e.must(e.kube.Delete(e.t.Context(), n))
	e.eventually("the namespace "+name+" is gone", func() (bool, string) {
		err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(n), n)
		return apierrors.IsNotFound(err), fmt.Sprint(err, n.Status.Conditions)
	})
}
