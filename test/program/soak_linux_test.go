// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/faultyapi"
)

const soakResync = 5 * time.Second

// soaked is an engine of the soak test.
type soaked struct {
	name       string // of the ContainerEngine
	engineType containersv1alpha1.EngineType
	endpoint   string
	// act does one thing to the engine, which may fail.
	act func(ctx context.Context, r *rand.Rand)
	// diff returns how the mirrors differ from the engine, as in [compare.Diff].
	diff  func(ctx context.Context, kube ctrlclient.Reader) (string, error)
	fault func(r *rand.Rand)
	heal  func()
}

// TestSoak lets everything happen at once, from both sides, with faults all the
// time, for some seconds or as long as RDD_SOAK says. The mirror is sometimes in the
// daemon, and sometimes in a process of its own, whose API server has a bad day.
// Then it is quiet, and the mirrors are equal to each engine, and stay as they
// are.
func TestSoak(t *testing.T) {
	t.Parallel()
	soakThrough(t, soakDockerd(t), soakFake(t, "one"), soakFake(t, "two"))
}

// soakThrough is TestSoak with the engines.
func soakThrough(t *testing.T, engines ...*soaked) {
	t.Helper()
	length := 20 * time.Second
	if text := os.Getenv("RDD_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("RDD_SOAK: %v", err)
		}
	}
	r := random(t)
	h := newHome(t)
	s := &soak{h: h, engines: engines}
	s.faults = faultyapi.New(rand.New(rand.NewPCG(r.Uint64(), 0)))
	s.faults.Fail(failingWrites, failingReads)
	h.ok("service", "start")
	kubeconfig := h.path("config") // its port may be another one after a restart
	s.proxied = h.proxied(s.faults.Proxy(t, func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", kubeconfig) }))
	s.connect()
	for _, e := range s.engines {
		ce := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: e.name, Namespace: namespace}}
		ce.Spec = containersv1alpha1.ContainerEngineSpec{Type: e.engineType, Endpoint: e.endpoint, ResyncPeriod: &metav1.Duration{Duration: soakResync}}
		if err := s.kube().Create(t.Context(), ce); err != nil {
			t.Fatal(err)
		}
	}
	s.run(r, length)
	s.quiet()
}

type soak struct {
	h       *home
	clients atomic.Pointer[ctrlclient.WithWatch]
	engines []*soaked

	faults  *faultyapi.Faults
	proxied string   // the kubeconfig of the faulty API server
	outside *process // the mirror in a process of its own; nil while it is in the daemon
}

// The shares of requests that fail, of a mirror in a process of its own.
const (
	failingWrites = 0.2
	failingReads  = 0.05
)

// restart kills the daemon, and the mirror where that is a process of its own,
// and starts them again, the mirror here or there.
func (s *soak) restart(r *rand.Rand) {
	s.h.t.Helper()
	if s.outside != nil && r.IntN(2) == 0 {
		s.outside.kill()
		s.outside = nil
	}
	s.h.kill()
	if s.outside == nil && r.IntN(2) == 0 {
		s.h.ok("service", "start")
		s.connect()
		return
	}
	s.h.ok("service", "start", "--controllers", "*,-engine")
	s.connect()
	s.watchOutside()
}

// watchOutside starts the mirror in a process of its own, if it does not run: it
// ends when its API server has a very bad day.
func (s *soak) watchOutside() {
	if s.outside != nil {
		select {
		case <-s.outside.done:
		default:
			return
		}
	}
	s.outside = s.h.spawn("containers-controller", "--kubeconfig", s.proxied)
}

// proxied writes a kubeconfig for a server that authenticates no client.
func (h *home) proxied(server string, authority []byte) string {
	h.t.Helper()
	path := filepath.Join(h.dir, "kubeconfig-proxied")
	own, err := os.ReadFile(filepath.Join(h.path("tls_dir"), "ca.crt")) // by which webhooks know the API server
	if err != nil {
		h.t.Fatal(err)
	}
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server, CertificateAuthorityData: append(own, authority...)}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// kube returns the client of the daemon that was started last: its port may be
// another one.
func (s *soak) kube() ctrlclient.Client { return *s.clients.Load() }

// connect makes that client.
func (s *soak) connect() {
	c := s.h.quickClient()
	s.clients.Store(&c)
}

func soakDockerd(t *testing.T) *soaked {
	engine := dockerd.Start(t, dockerd.Config{})
	e := dockerSoaked("real", engine.Endpoint(), engine.Client)
	e.fault = func(r *rand.Rand) {
		if r.IntN(6) == 0 { // it takes seconds
			engine.Kill()
			engine.Start()
		}
	}
	return e
}

// dockerSoaked is an engine with Docker's API and no faults.
func dockerSoaked(name, endpoint string, docker *client.Client) *soaked {
	return &soaked{
		name: name, engineType: containersv1alpha1.EngineMoby, endpoint: endpoint, heal: func() {},
		act: func(ctx context.Context, r *rand.Rand) { dockerSide(ctx, r, docker) },
		diff: func(ctx context.Context, kube ctrlclient.Reader) (string, error) {
			return compare.Diff(ctx, docker, kube, namespace, name)
		},
	}
}

func soakFake(t *testing.T, name string) *soaked {
	engine, docker := startEngine(t, 5)
	for i := range 3 {
		engine.AddVolume(fmt.Sprint("v", i))
	}
	e := dockerSoaked(name, engine.Endpoint(), docker)
	e.heal = func() {
		engine.DropEvents(false)
		engine.HangRequests(false)
		for _, list := range []fakedocker.List{fakedocker.Containers, fakedocker.Images, fakedocker.Volumes} {
			engine.FailList(list, 0)
			engine.TruncateList(list, 0)
		}
	}
	e.fault = func(r *rand.Rand) {
		pause := time.Duration(r.IntN(1500)) * time.Millisecond
		lists := []fakedocker.List{fakedocker.Containers, fakedocker.Images, fakedocker.Volumes}
		switch r.IntN(7) {
		case 0:
			engine.Stop()
			time.Sleep(pause)
			if err := engine.Restart(); err != nil {
				t.Fatal(err)
			}
		case 1:
			engine.CutEvents()
		case 2:
			engine.FailList(lists[r.IntN(3)], 1+r.IntN(3))
		case 3:
			engine.TruncateList(lists[r.IntN(3)], 1+r.IntN(3))
		case 4:
			engine.DropEvents(true)
			time.Sleep(pause)
			engine.DropEvents(false)
		case 5:
			engine.HangRequests(true)
			time.Sleep(pause)
			engine.HangRequests(false)
		case 6:
			engine.FailRoute("GET /containers/{id}/json", 500, 1+r.IntN(5))
		}
	}
	return e
}

// run does everything for a while. What it does to either side may fail.
func (s *soak) run(r *rand.Rand, length time.Duration) {
	t := s.h.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var busy sync.WaitGroup
	defer busy.Wait()
	for _, e := range s.engines {
		kubeSide := func(ctx context.Context, r *rand.Rand) { s.kubeSide(ctx, r, e) }
		for _, do := range []func(context.Context, *rand.Rand){e.act, kubeSide} {
			own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
			busy.Go(func() {
				for ctx.Err() == nil {
					call, done := context.WithTimeout(ctx, 10*time.Second)
					do(call, own)
					done()
					time.Sleep(time.Duration(own.IntN(60)) * time.Millisecond)
				}
			})
		}
	}
	faults := 0
	for ; ctx.Err() == nil; faults++ {
		time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond)
		if i := r.IntN(5 * len(s.engines)); i == 0 {
			s.restart(r)
		} else {
			s.engines[i%len(s.engines)].fault(r)
		}
		if s.outside != nil {
			s.watchOutside()
			if r.IntN(3) == 0 {
				s.faults.CutWatches()
			}
		}
	}
	s.faults.Fail(0, 0)
	for _, e := range s.engines {
		e.heal()
	}
	t.Logf("%d faults, and of the API server %s", faults, s.faults)
	if s.outside != nil {
		s.watchOutside()
	}
}

// soakLimit is how many containers an engine has at most.
const soakLimit = 12

// dockerSide does one thing through the Docker API.
func dockerSide(ctx context.Context, r *rand.Rand, d *client.Client) {
	now := 0
	name := fmt.Sprintf("soak-%d", r.IntN(30))
	list, err := d.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return
	}
	if len(list.Items) == 0 || len(list.Items) < soakLimit && r.IntN(3) == 0 {
		_, _ = d.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: sleeper()})
		return
	}
	id := list.Items[r.IntN(len(list.Items))].ID
	switch r.IntN(13) {
	case 0, 1:
		_, _ = d.ContainerStart(ctx, id, client.ContainerStartOptions{})
	case 2:
		_, _ = d.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &now})
	case 3:
		_, _ = d.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "KILL"})
	case 4:
		_, _ = d.ContainerPause(ctx, id, client.ContainerPauseOptions{})
	case 5:
		_, _ = d.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	case 6:
		_, _ = d.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: name})
	case 7:
		_, _ = d.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
	case 8, 9:
		_, _ = d.ImageTag(ctx, client.ImageTagOptions{Source: dockerd.Image, Target: "soak/" + name + ":1"})
	case 10:
		_, _ = d.ImageRemove(ctx, "soak/"+name+":1", client.ImageRemoveOptions{})
	case 11:
		_, _ = d.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name})
	case 12:
		_, _ = d.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	}
}

// kubeSide does one thing through the API server, to an object of the engine.
func (s *soak) kubeSide(ctx context.Context, r *rand.Rand, e *soaked) {
	objects, err := s.mirrors(ctx, e)
	if err != nil || len(objects) == 0 {
		return
	}
	object := objects[r.IntN(len(objects))]
	merge := func(text string) {
		_ = s.kube().Patch(ctx, object, ctrlclient.RawPatch("application/merge-patch+json", []byte(text)))
	}
	image, isImage := object.(*containersv1alpha1.Image)
	_, isContainer := object.(*containersv1alpha1.Container)
	switch n := r.IntN(8); {
	case n == 0:
		merge(fmt.Sprintf(`{"metadata":{"labels":{"test/soak":"%d"}}}`, r.IntN(100)))
	case n == 1 && (!isImage || image.Status.RepoTag != dockerd.Image):
		_ = s.kube().Delete(ctx, object)
	case n < 5 && isContainer:
		actions := []containersv1alpha1.Action{containersv1alpha1.ActionStart, containersv1alpha1.ActionStop, containersv1alpha1.ActionPause,
			containersv1alpha1.ActionUnpause, containersv1alpha1.ActionRestart}
		merge(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, containersv1alpha1.ActionAnnotation, actions[r.IntN(len(actions))]))
	case isContainer:
		states := []containersv1alpha1.ContainerState{containersv1alpha1.StateRunning, containersv1alpha1.StatePaused, containersv1alpha1.StateExited}
		merge(fmt.Sprintf(`{"spec":{"state":%q}}`, states[r.IntN(len(states))]))
	}
}

// mirrors returns the mirrors of containers, images and volumes of an engine.
func (s *soak) mirrors(ctx context.Context, e *soaked) ([]ctrlclient.Object, error) {
	var objects []ctrlclient.Object
	for _, list := range []ctrlclient.ObjectList{&containersv1alpha1.ContainerList{}, &containersv1alpha1.ImageList{}, &containersv1alpha1.VolumeList{}} {
		if err := s.kube().List(ctx, list, ctrlclient.InNamespace(namespace), ctrlclient.MatchingLabels{containersv1alpha1.EngineLabel: e.name}); err != nil {
			return nil, err
		}
		_ = apimeta.EachListItem(list, func(object runtime.Object) error {
			objects = append(objects, object.(ctrlclient.Object))
			return nil
		})
	}
	return objects, nil
}
