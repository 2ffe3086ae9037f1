// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestFlood: while an engine with many containers is mirrored for the first time
// the API server goes on to answer, and the condition says how far it is.
// RDD_TEST_FLOOD is how many containers.
func TestFlood(t *testing.T) {
	many := 1500
	if n, err := strconv.Atoi(os.Getenv("RDD_TEST_FLOOD")); err == nil {
		many = n
	}
	engine, docker := newFake(t, fakedocker.Config{})
	engine.AddContainers(many, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	e := newEnv(t, docker, engine.Endpoint())
	began := time.Now()
	ce := e.create("moby", namespace)
	progress := map[string]bool{}
	var took []time.Duration
	for deadline := time.Now().Add(10 * time.Minute); ; {
		asked := time.Now()
		e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
		took = append(took, time.Since(asked))
		ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready != nil && ready.Reason == containersv1alpha1.ReasonConnected {
			break
		}
		if ready != nil {
			progress[ready.Message] = true
		}
		if time.Now().After(deadline) {
			t.Fatal("not connected in time")
		}
		time.Sleep(10 * time.Millisecond)
	}
	all := time.Since(began)
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	t.Logf("%d containers in %s, %d times asked: p50 %s, p95 %s, p99 %s, the longest %s", many, all, len(took), at(.5), at(.95), at(.99), at(1))
	if at(0.95) > time.Second {
		t.Errorf("one answer of twenty took longer than %s", at(0.95))
	}
	if all > 3*time.Second {
		said := 0
		for message := range progress {
			if strings.Contains(message, fmt.Sprintf(" of %d,%03d containers", many/1000, many%1000)) {
				said++
			}
		}
		if said == 0 || float64(said) > all.Seconds()+2 {
			t.Errorf("in %s the progress was said %d times: %v", all, said, progress)
		}
	}
	e.equal("moby")
}
