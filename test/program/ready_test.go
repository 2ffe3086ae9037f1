// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// TestReadyAndDiscovery watches the discovery ConfigMap from its creation. From
// the very moment that it has the ready annotation it has the entry of every
// enabled controller, and a create of each kind works.
func TestReadyAndDiscovery(t *testing.T) {
	t.Parallel()
	rounds := 10
	if raceEnabled {
		rounds = 3
	}
	for _, selection := range []string{"*", "containers,-engine", ""} {
		for round := range rounds {
			t.Run(fmt.Sprintf("%q %d", selection, round), func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				h.ok("service", "create", "--controllers", selection)
				// Half of the starts are warm.
				if round%2 == 1 {
					h.ok("service", "start")
					h.ok("service", "stop")
				}
				watchReady(t, h, selection)
			})
		}
	}
}

func watchReady(t *testing.T, h *home, selection string) {
	t.Helper()
	_ = os.Remove(h.path("config")) // that of an earlier run
	h.ok("service", "start", "--wait=false")
	c := earlyClient(t, h)
	began := time.Now()
	sawEmpty := false
	for {
		discovery, created := nextDiscovery(t, c, &sawEmpty)
		if discovery.Annotations[manager.ReadyAnnotation] != "true" {
			if created {
				sawEmpty = true
			}
			if time.Since(began) > patience {
				t.Fatal("the daemon never became ready")
			}
			continue
		}
		var entry manager.Entry
		if err := json.Unmarshal([]byte(discovery.Data[manager.EmbeddedKey]), &entry); err != nil {
			t.Fatalf("ready and no entry: %v: %v", err, discovery.Data)
		}
		checkEntry(t, h, entry, selection)
		createEachKind(t, c, entry.EnabledControllers)
		return
	}
}

// earlyClient returns a client as soon as there is a kubeconfig, long before
// the API server answers.
func earlyClient(t *testing.T, h *home) ctrlclient.WithWatch {
	t.Helper()
	var c ctrlclient.WithWatch
	h.eventually("there is a kubeconfig", func() (bool, string) {
		var err error
		c, err = client.New(h.path("config"))
		return err == nil, fmt.Sprint(err)
	})
	return c
}

// nextDiscovery lists the ConfigMap again and again: a watch would come later
// than that. created reports that it was there and not ready.
func nextDiscovery(t *testing.T, c ctrlclient.WithWatch, seen *bool) (*corev1.ConfigMap, bool) {
	t.Helper()
	discovery := &corev1.ConfigMap{}
	key := ctrlclient.ObjectKey{Namespace: manager.SystemNamespace, Name: manager.DiscoveryName}
	if err := c.Get(t.Context(), key, discovery); err != nil {
		return &corev1.ConfigMap{}, false
	}
	if *seen || discovery.Annotations[manager.ReadyAnnotation] == "true" {
		return discovery, true
	}
	// From its creation on, every version of it is looked at.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watcher, err := c.Watch(ctx, &corev1.ConfigMapList{}, ctrlclient.InNamespace(manager.SystemNamespace),
		&ctrlclient.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: discovery.ResourceVersion}})
	if err != nil {
		return discovery, true
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		changed, ok := event.Object.(*corev1.ConfigMap)
		if ok && event.Type == watch.Modified && changed.Annotations[manager.ReadyAnnotation] == "true" {
			return changed, true
		}
	}
	return discovery, true
}

func checkEntry(t *testing.T, h *home, entry manager.Entry, selection string) {
	t.Helper()
	want := map[string][]string{
		"*":                  {"container", "image", "volume", "network", "containernamespace", "engine", "app", "demo", "limavm", "hostinfo"},
		"containers,-engine": {"container", "image", "volume", "network", "containernamespace"},
		"":                   {},
	}[selection]
	if !slices.Equal(entry.EnabledControllers, want) || entry.EnabledControllers == nil {
		t.Errorf("enabled controllers %v, want %v", entry.EnabledControllers, want)
	}
	if entry.StartTime.IsZero() || entry.HealthPort == 0 || entry.EnabledPassthroughs == nil {
		t.Errorf("the entry is incomplete: %+v", entry)
	}
	if status, err := h.get("/readyz"); err != nil || status != http.StatusOK {
		// The annotation is the last step but one: the gate behind it is passed
		// when the API server has taken it.
		h.eventually("/readyz answers 200", func() (bool, string) {
			status, err := h.get("/readyz")
			return status == http.StatusOK, fmt.Sprint(status, err)
		})
	}
}

func createEachKind(t *testing.T, c ctrlclient.Client, controllers []string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "first", Namespace: "default"}
	objects := map[string]ctrlclient.Object{
		"container":          &containersv1alpha1.Container{ObjectMeta: meta},
		"image":              &containersv1alpha1.Image{ObjectMeta: meta},
		"volume":             &containersv1alpha1.Volume{ObjectMeta: meta},
		"network":            &containersv1alpha1.Network{ObjectMeta: meta},
		"containernamespace": &containersv1alpha1.ContainerNamespace{ObjectMeta: meta},
		"engine": &containersv1alpha1.ContainerEngine{ObjectMeta: meta, Spec: containersv1alpha1.ContainerEngineSpec{
			Type: containersv1alpha1.EngineMoby, Endpoint: "unix:///nowhere"}},
		"app":  &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.AppName}},
		"demo": &appv1alpha1.Demo{ObjectMeta: meta},
		// Its controller creates the only valid one.
		"hostinfo": &rddv1alpha1.HostInfo{ObjectMeta: metav1.ObjectMeta{Name: rddv1alpha1.HostInfoName}},
	}
	source := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{limav1alpha1.TemplateKey: "images: []"}}
	objects["limavm"] = &limav1alpha1.LimaVM{ObjectMeta: meta, Spec: limav1alpha1.LimaVMSpec{
		Running: ptr.To(false), TemplateRef: limav1alpha1.TemplateReference{Name: source.Name}}}
	if err := c.Create(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	for _, name := range controllers {
		if err := c.Create(t.Context(), objects[name]); err != nil && (name != "hostinfo" || !apierrors.IsAlreadyExists(err)) {
			t.Errorf("a create of %s at the first moment of ready: %v", name, err)
		}
	}
}

// TestStartAnswersOnlyWhenReady: what `service start` promised can be used.
func TestStartAnswersOnlyWhenReady(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	discovery := &corev1.ConfigMap{}
	key := ctrlclient.ObjectKey{Namespace: manager.SystemNamespace, Name: manager.DiscoveryName}
	if err := h.client().Get(t.Context(), key, discovery); err != nil || discovery.Annotations[manager.ReadyAnnotation] != "true" {
		t.Errorf("after a start: %v, %v", discovery.Annotations, err)
	}
	first := discovery.CreationTimestamp
	h.ok("service", "stop")
	time.Sleep(time.Until(first.Add(1100 * time.Millisecond))) // its creation has whole seconds
	h.ok("service", "start")
	if err := h.client().Get(t.Context(), key, discovery); err != nil || !discovery.CreationTimestamp.After(first.Time) {
		t.Errorf("after another start it was created at %v, before at %v: %v", discovery.CreationTimestamp, first, err)
	}
}

// TestWaitCondition waits for an object that does not exist yet.
func TestWaitCondition(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.fails(2, []string{"TYPE[.GROUP]/NAME"}, "ctl", "wait-condition", "app", "Settled")
	h.fails(2, []string{"CONDITION"}, "ctl", "wait-condition", "app/app", "")
	h.fails(2, []string{"--since", "startup"}, "ctl", "wait-condition", "app/app", "Settled", "--since", "yesterday")
	h.fails(4, []string{"does not exist"}, "ctl", "wait-condition", "app/app", "Settled", "--timeout", "200ms")
	wait := func(args ...string) (*exec.Cmd, func() result) {
		cmd := h.command(t.Context(), programs+"/rdd", append([]string{"ctl", "wait-condition"}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, func() result {
			_ = cmd.Wait()
			return result{code: cmd.ProcessState.ExitCode()}
		}
	}
	_, done := wait("app.app.rancherdesktop.io/app", "Settled", "--timeout", "1m", "--since", "startup")
	h.ok("set", "running=false", "--wait=false")
	if r := done(); r.code != 0 {
		t.Errorf("exit code %d", r.code)
	}
	h.ok("ctl", "wait-condition", "apps/app", "Settled=True", "--reason", "Settled")
	h.fails(4, []string{"Settled"}, "ctl", "wait-condition", "apps/app", "Settled=False", "--timeout", "200ms")
	h.fails(4, nil, "ctl", "wait-condition", "apps/app", "Settled", "--reason", "Other", "--timeout", "200ms")
	h.fails(4, nil, "ctl", "wait-condition", "apps/app", "Settled", "--since", "2999-01-01T00:00:00Z", "--timeout", "200ms")
	// As with `kubectl wait`: 0 looks once, and users need not know how a condition is spelt.
	h.ok("ctl", "wait-condition", "app/app", "settled=true", "--timeout", "0")
	h.fails(4, []string{"it is True (Settled"}, "ctl", "wait-condition", "app/app", "Settled=False", "--timeout", "0")
	h.fails(4, []string{"does not exist"}, "ctl", "wait-condition", "app/other", "Settled", "--timeout", "0")
	h.fails(2, []string{"Maybe", "True, False or Unknown"}, "ctl", "wait-condition", "app/app", "Settled=Maybe")
	h.fails(1, []string{`no resource type "nothing"`}, "ctl", "wait-condition", "nothing/app", "Settled")
	h.fails(4, []string{"not finished within 0s"}, "set", "running=false", "--timeout", "0")
}
