// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/sshd"
)

// of is the environment with another engine to compare with.
func (e *env) of(engine *dockerd.Engine) *env {
	view := *e
	view.docker, view.hands = engine.Client, dockerHands{engine.Client}
	return &view
}

// start starts a container in the engine.
func (e *env) start(name string) {
	e.t.Helper()
	created, err := e.docker.ContainerCreate(e.t.Context(), client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: busyboxImage, Cmd: []string{"sleep", "1000"}}, HostConfig: &container.HostConfig{},
	})
	e.must(err)
	_, err = e.docker.ContainerStart(e.t.Context(), created.ID, client.ContainerStartOptions{})
	e.must(err)
}

// at makes a ContainerEngine for an endpoint.
func (e *env) at(name, endpoint, secret string) *containersv1alpha1.ContainerEngine {
	e.t.Helper()
	return e.createWith(name, namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
		spec.Endpoint = endpoint
		if secret != "" {
			spec.SecretRef = &containersv1alpha1.SecretReference{Name: secret}
		}
	})
}

// setSecret makes or changes a Secret.
func (e *env) setSecret(name string, data map[string][]byte) {
	e.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: data}
	if err := e.kube.Update(e.t.Context(), s); err != nil {
		s.ResourceVersion = ""
		e.must(e.kube.Create(e.t.Context(), s))
	}
}

// waitMessage waits until a ContainerEngine is in the state that the reason
// names, and says all of the words.
func (e *env) waitMessage(ce *containersv1alpha1.ContainerEngine, reason string, words ...string) {
	e.t.Helper()
	e.eventually(fmt.Sprintf("ContainerEngine %s is %s and says %q", ce.Name, reason, words), func() (bool, string) {
		e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(ce), ce))
		ready := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready == nil {
			return false, "no condition"
		}
		for _, word := range words {
			if !strings.Contains(ready.Message, word) {
				return false, ready.Reason + ": " + ready.Message
			}
		}
		return ready.Reason == reason && ce.Status.ObservedGeneration == ce.Generation, ready.Reason + ": " + ready.Message
	})
}

// pki is an authority, an engine's certificate and a client's.
type pki struct {
	authority      *certs.Authority
	server, client certs.Pair
}

func newPKI(t *testing.T) pki {
	t.Helper()
	authority := certs.New(t)
	return pki{authority: authority, server: authority.Server("127.0.0.1"), client: authority.Client()}
}

func (p pki) engine() dockerd.TLS {
	return dockerd.TLS{CA: p.authority.Cert, Cert: p.server.Cert, Key: p.server.Key}
}

func (p pki) secret() map[string][]byte {
	return map[string][]byte{"ca.crt": p.authority.Cert, "tls.crt": p.client.Cert, "tls.key": p.client.Key}
}

// TestTLS: the Secret is missing, wrong in each way, right, changed for another,
// broken and mended; the ContainerEngine says so, and the mirrors stay.
func TestTLS(t *testing.T) {
	t.Parallel()
	before, after, stranger := newPKI(t), newPKI(t), newPKI(t)
	tls := before.engine()
	engine := dockerd.Start(t, dockerd.Config{TLS: &tls})
	e := newEnv(t, engine.Client, engine.TLSEndpoint())
	plain := e.at("plain", engine.TLSEndpoint(), "")
	e.waitMessage(plain, containersv1alpha1.ReasonConnectFailed, engine.TLSEndpoint(), "it speaks TLS", "spec.secretRef")
	e.must(e.kube.Delete(t.Context(), plain))

	ce := e.at("moby", engine.TLSEndpoint(), "certs")
	e.waitMessage(ce, containersv1alpha1.ReasonConnectFailed, "the Secret "+namespace+"/certs does not exist", "ca.crt", "tls.crt", "tls.key")
	for _, wrong := range []struct {
		data  map[string][]byte
		words []string
	}{
		{map[string][]byte{"ca.crt": stranger.authority.Cert}, []string{"authority", "Secret " + namespace + "/certs", "certificate signed by unknown authority"}},
		{map[string][]byte{"ca.crt": before.authority.Cert}, []string{"refuses the client's certificate", "tls.crt and tls.key of the Secret " + namespace + "/certs"}},
		{map[string][]byte{"ca.crt": before.authority.Cert, "tls.crt": stranger.client.Cert, "tls.key": stranger.client.Key}, []string{"refuses the client's certificate"}},
		{map[string][]byte{"ca.crt": before.authority.Cert, "tls.crt": before.client.Cert}, []string{"Secret " + namespace + "/certs", "lacks the key tls.key"}},
		{map[string][]byte{"ca.crt": []byte("garbled")}, []string{"Secret " + namespace + "/certs", "key ca.crt", "BEGIN CERTIFICATE"}},
	} {
		e.setSecret("certs", wrong.data)
		e.waitMessage(ce, containersv1alpha1.ReasonConnectFailed, wrong.words...)
	}
	e.start("one")
	began := time.Now()
	e.setSecret("certs", before.secret())
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	t.Logf("connected %s after the Secret was right", time.Since(began).Round(time.Millisecond))
	e.equal("moby")

	// Broken while it is connected, and mended.
	mirrors := e.versions()
	broken := before.secret()
	broken["tls.key"] = before.client.Key[:len(before.client.Key)/2]
	e.setSecret("certs", broken)
	e.waitMessage(ce, containersv1alpha1.ReasonDisconnected, "Secret "+namespace+"/certs", "key tls.key")
	e.setSecret("certs", before.secret())
	e.waitReason(ce, containersv1alpha1.ReasonConnected)

	// A new authority and new certificates on both sides. The container is not
	// running any more, and its mirror is the same object.
	engine.Stop()
	engine.SetTLS(after.engine())
	engine.Start()
	e.waitMessage(ce, containersv1alpha1.ReasonDisconnected, "certificate signed by unknown authority")
	e.setSecret("certs", after.secret())
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.equal("moby")
	uids := func(versions map[string]string) string {
		for name, version := range versions {
			versions[name], _, _ = strings.Cut(version, "@")
		}
		return fmt.Sprint(versions)
	}
	if was, is := uids(mirrors), uids(e.versions()); was != is {
		t.Errorf("the mirrors were %s, and are %s", was, is)
	}
	e.noSecrets(before.client.Key, after.client.Key)
}

// noSecrets checks that nothing that anybody can read has a private key in it.
func (e *env) noSecrets(keys ...[]byte) {
	e.t.Helper()
	var events corev1.EventList
	var engines containersv1alpha1.ContainerEngineList
	e.list(&events)
	e.list(&engines)
	text := fmt.Sprintf("%+v %+v", events.Items, engines.Items)
	for _, key := range keys {
		if strings.Contains(text, string(bytes.Split(key, []byte("\n"))[1])) {
			e.t.Error("a private key is in a status or an event")
		}
	}
}

// TestRotationOfAClientCertificate: a Secret that changes while all is well costs
// no mirror a write, and new connections are made with what it has.
func TestRotationOfAClientCertificate(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	tls := p.engine()
	engine := dockerd.Start(t, dockerd.Config{TLS: &tls})
	e := newEnv(t, engine.Client, engine.TLSEndpoint())
	// Docker's names of the keys.
	e.at("unrelated", "unix:///no/such/socket", "") // makes the namespace
	e.setSecret("certs", map[string][]byte{"ca.pem": p.authority.Cert, "cert.pem": p.client.Cert, "key.pem": p.client.Key})
	ce := e.at("moby", engine.TLSEndpoint(), "certs")
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.start("one")
	e.equal("moby")
	mirrors := e.versions()
	// The engine does not know this one, and says so to new connections only.
	stranger := newPKI(t)
	e.setSecret("certs", map[string][]byte{"ca.crt": p.authority.Cert, "tls.crt": stranger.client.Cert, "tls.key": stranger.client.Key})
	e.waitMessage(ce, containersv1alpha1.ReasonDisconnected, "refuses the client's certificate")
	another := p.authority.Client()
	e.setSecret("certs", map[string][]byte{"ca.crt": p.authority.Cert, "tls.crt": another.Cert, "tls.key": another.Key})
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	if was, is := fmt.Sprint(mirrors), fmt.Sprint(e.versions()); was != is {
		t.Errorf("the mirrors were %s, and are %s", was, is)
	}
	e.start("two")
	e.equal("moby")
}

// TestSSH: an engine behind a real SSH server. The server refuses the user, and
// is one that is not known; every ssh process is killed; and none is left after a
// stop.
func TestSSH(t *testing.T) {
	engine := dockerd.Start(t, dockerd.Config{})
	server := sshd.Start(t)
	e := newEnv(t, engine.Client, server.Endpoint(strings.TrimPrefix(engine.Endpoint(), "unix://")))
	server.Lock()
	ce := e.create("moby", namespace)
	e.waitMessage(ce, containersv1alpha1.ReasonConnectFailed, "ssh to root@127.0.0.1", "Permission denied (publickey)")
	server.Forget()
	e.waitMessage(ce, containersv1alpha1.ReasonConnectFailed, "ssh to root@127.0.0.1", "Host key verification failed")
	server.Unlock()
	server.Remember()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	e.start("one")
	e.equal("moby")
	mirrors := e.versions()
	t.Logf("%d ssh processes", len(server.Clients()))

	server.Lock() // so that it is seen
	for _, id := range server.Clients() {
		e.must(syscall.Kill(id, syscall.SIGKILL))
	}
	e.waitMessage(ce, containersv1alpha1.ReasonDisconnected, "Permission denied (publickey)")
	server.Unlock()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	if was, is := fmt.Sprint(mirrors), fmt.Sprint(e.versions()); was != is {
		t.Errorf("the mirrors were %s, and are %s", was, is)
	}

	e.setRunning(ce, false)
	e.waitReason(ce, containersv1alpha1.ReasonStopped)
	if left := server.Clients(); len(left) > 0 {
		t.Errorf("the session has ended, and these ssh processes live: %v", left)
	}
	wrong := e.at("wrong", server.Endpoint("/no/such/socket"), "")
	e.waitMessage(wrong, containersv1alpha1.ReasonConnectFailed, "/no/such/socket")
}

// TestSeveralEngines: three engines, reached in three ways, in one namespace.
// Each has its own mirrors, and the others do not notice that one is stopped.
func TestSeveralEngines(t *testing.T) {
	p := newPKI(t)
	tls := p.engine()
	local, remote, far := dockerd.Start(t, dockerd.Config{}), dockerd.Start(t, dockerd.Config{TLS: &tls}), dockerd.Start(t, dockerd.Config{})
	server := sshd.Start(t)
	e := newEnv(t, local.Client, local.Endpoint())
	engines := map[string]*dockerd.Engine{"local": local, "remote": remote, "far": far}
	all := map[string]*containersv1alpha1.ContainerEngine{
		"local":  e.at("local", local.Endpoint(), ""),
		"remote": e.at("remote", remote.TLSEndpoint(), "certs"),
		"far":    e.at("far", server.Endpoint(strings.TrimPrefix(far.Endpoint(), "unix://")), ""),
	}
	e.setSecret("certs", p.secret())
	for name, ce := range all {
		e.waitReason(ce, containersv1alpha1.ReasonConnected)
		e.of(engines[name]).start(name)
	}
	d := &driver{env: e}
	endpoints := e.endpoints()
	for name, engine := range engines {
		e.of(engine).equal(name)
		if code, stdout, stderr := d.exec(endpoints, name, false, "sh", "-c", "echo here; exit 4"); code != 4 || stdout != "here\n" {
			t.Errorf("a process in a container of %s: %d %q %q", name, code, stdout, stderr)
		}
	}
	mirrors := func(name string) string { return fmt.Sprint(e.versionsOf(name)) }
	was := map[string]string{"local": mirrors("local"), "far": mirrors("far")}
	e.setRunning(all["remote"], false)
	e.waitReason(all["remote"], containersv1alpha1.ReasonStopped)
	if left := e.versionsOf("remote"); len(left) > 0 {
		t.Errorf("mirrors of the stopped engine are left: %v", left)
	}
	for name, before := range was {
		if is := mirrors(name); is != before {
			t.Errorf("the mirrors of %s were %s, and are %s", name, before, is)
		}
		e.of(engines[name]).start("another")
		e.of(engines[name]).equal(name)
	}
}

// versionsOf is versions of one engine's mirrors.
func (e *env) versionsOf(engineName string) map[string]string {
	e.t.Helper()
	return e.versions(ctrlclient.MatchingLabels{containersv1alpha1.EngineLabel: engineName})
}

// TestSecretIsForTCP: a Secret at another endpoint is refused with the field's
// name.
func TestSecretIsForTCP(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil, "unix:///no/such/socket")
	ce := e.create("moby", namespace)
	before := ce.DeepCopy()
	ce.Spec.SecretRef = &containersv1alpha1.SecretReference{Name: "certs"}
	err := e.kube.Patch(t.Context(), ce, ctrlclient.MergeFrom(before))
	if err == nil || !strings.Contains(err.Error(), "spec.secretRef: Invalid value") || !strings.Contains(err.Error(), "tcp://") {
		t.Errorf("a Secret for a unix:// endpoint: %v", err)
	}
	e.waitMessage(e.getEngine("moby"), containersv1alpha1.ReasonConnectFailed, "no such socket", "/no/such/socket")
	e.waitMessage(e.at("pipe", "npipe:////./pipe/docker_engine", ""), containersv1alpha1.ReasonUnsupported, "Windows only")
	e.waitMessage(e.at("option", "ssh://-oProxyCommand=x", ""), containersv1alpha1.ReasonUnsupported, "must not begin with a dash")
}
