// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/hostile"
)

const (
	hostileTime   = 4 * time.Second
	hostileMemory = 400 << 10 // kB, of the whole daemon
	hostileAnswer = time.Second
)

// TestHostileEngine has an engine send the daemon a list without end, and then a
// log whose frame is to have 4 GiB: it takes neither, and goes on answering.
func TestHostileEngine(t *testing.T) {
	t.Parallel()
	server := fakedocker.Run(t, fakedocker.Config{})
	server.AddImage("busybox:latest")
	docker, err := client.New(client.WithHost(server.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = docker.Close() }()
	created, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: "talks", Config: &container.Config{Image: "busybox:latest", Cmd: []string{"sh"}}})
	if err != nil {
		t.Fatal(err)
	}
	proxy := hostile.Start(t, hostile.Complete(hostile.Pass(t, server.Endpoint(), false)), false)
	h := newHome(t)
	h.ok("service", "start")
	kube := h.client()
	if err := kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	ce := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Name: "moby", Namespace: namespace},
		Spec: containersv1alpha1.ContainerEngineSpec{
			Type: containersv1alpha1.EngineMoby, Endpoint: proxy.Endpoint(), ResyncPeriod: &metav1.Duration{Duration: time.Second},
		},
	}
	if err := kube.Create(t.Context(), ce); err != nil {
		t.Fatal(err)
	}
	mirrored := func() (bool, string) {
		err := kube.Get(t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: created.ID}, &containersv1alpha1.Container{})
		if err == nil {
			err = kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce)
		}
		return err == nil && apimeta.IsStatusConditionTrue(ce.Status.Conditions, containersv1alpha1.ConditionReady), fmt.Sprint(err, ce.Status.Conditions)
	}
	h.eventually("the container is mirrored", mirrored)
	for _, attack := range []struct{ surface, answer string }{
		{hostile.ListContainers, "EndlessList"}, {hostile.ListContainers, "EndlessText"}, {hostile.Events, "EndlessText"}, {hostile.Logs, "EndlessText"},
	} {
		proxy.Attack(attack.surface, hostile.Find(hostile.DockerAnswers(), attack.answer))
		if attack.surface == hostile.Logs {
			reading, cancel := context.WithTimeout(t.Context(), hostileTime)
			logs := h.command(reading, filepath.Join(programs, "rdd"), "logs", "talks")
			if err := logs.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cancel()
				_ = logs.Wait()
			}()
		} else {
			proxy.Cut()
		}
		h.watchHostile(kube, ce, attack.surface+" "+attack.answer)
		if proxy.Served() == 0 {
			t.Errorf("%s was not asked for", attack.surface)
		}
		proxy.Lift()
		h.eventually("all is well after "+attack.surface, mirrored)
	}
}

// watchHostile checks for some seconds that the daemon answers, and is small.
func (h *home) watchHostile(kube ctrlclient.Client, ce *containersv1alpha1.ContainerEngine, attack string) {
	h.t.Helper()
	answers, slow, most := 0, 0, 0
	for began := time.Now(); time.Since(began) < hostileTime; time.Sleep(50 * time.Millisecond) {
		asked := time.Now()
		if err := kube.Get(h.t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce); err != nil {
			h.t.Fatal(err)
		}
		if answers++; time.Since(asked) > hostileAnswer {
			slow++
		}
		most = max(most, h.residentMemory())
	}
	h.t.Logf("%s: %d MiB resident, %d of %d answers took longer than %v", attack, most>>10, slow, answers, hostileAnswer)
	if slow*20 > answers {
		h.t.Errorf("%s: %d of %d answers took longer than %v", attack, slow, answers, hostileAnswer)
	}
	if most > hostileMemory && !raceEnabled { // which needs several times as much
		h.t.Errorf("%s: the daemon has %d MiB", attack, most>>10)
	}
}

// residentMemory returns the resident memory of the daemon, in kB.
func (h *home) residentMemory() int {
	h.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.pid()))
	if err != nil {
		h.t.Fatalf("the daemon has ended: %v", err)
	}
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		h.t.Fatalf("the daemon has ended: %s", status)
	}
	memory, _ := strconv.Atoi(string(match[1]))
	return memory
}
