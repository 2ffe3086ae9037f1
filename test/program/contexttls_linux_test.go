// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// TestDockerContextFollowsSecret: certificates that are replaced while RDD is
// connected are the context's, too, and so are those of another Secret.
func TestDockerContextFollowsSecret(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	authority := certs.New(t)
	server := authority.Server("127.0.0.1")
	engine := dockerd.Start(t, dockerd.Config{TLS: &dockerd.TLS{CA: authority.Cert, Cert: server.Cert, Key: server.Key}})
	h.ok("set", "--wait=false", "running=true", "containerEngine.endpoint="+engine.TLSEndpoint())
	h.eventually("a Secret is made in the App's namespace", func() (bool, string) {
		return written(h.secrets().Create(t.Context(), h.tlsSecret("first", authority), metav1.CreateOptions{}))
	})
	h.takeSecret("first")
	h.ok("start")
	h.contextIs(true)
	h.dockerSays("--context", h.context(), "info")

	replaced := h.tlsSecret("first", authority)
	h.eventually("the Secret is replaced", func() (bool, string) {
		return written(h.secrets().Update(t.Context(), replaced, metav1.UpdateOptions{}))
	})
	h.contextHas(replaced)

	second := h.tlsSecret("second", authority)
	h.eventually("another Secret is made", func() (bool, string) {
		return written(h.secrets().Create(t.Context(), second, metav1.CreateOptions{}))
	})
	h.takeSecret("second")
	h.contextHas(second)
	h.dockerSays("--context", h.context(), "info")
}

func (h *home) secrets() corev1client.SecretInterface {
	h.t.Helper()
	clients, err := kubernetes.NewForConfig(h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	return clients.CoreV1().Secrets(namespace)
}

func written(_ *corev1.Secret, err error) (bool, string) { return says(err) }

// says reports whether something succeeded, and the failure.
func says(err error) (bool, string) { return err == nil, fmt.Sprint(err) }

// tlsSecret returns a Secret with a new certificate of a client.
func (h *home) tlsSecret(name string, authority *certs.Authority) *corev1.Secret {
	client := authority.Client()
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Data:       map[string][]byte{"ca.crt": authority.Cert, "tls.crt": client.Cert, "tls.key": client.Key},
	}
}

// takeSecret has the App's engine take a Secret.
func (h *home) takeSecret(name string) {
	h.t.Helper()
	h.eventually("the App's engine takes a Secret", func() (bool, string) {
		e := &containersv1alpha1.ContainerEngine{}
		if err := h.client().Get(h.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: "moby"}, e); err != nil {
			return says(err)
		}
		e.Spec.SecretRef = &containersv1alpha1.SecretReference{Name: name}
		return says(h.client().Update(h.t.Context(), e))
	})
}

// contextHas waits until the one context has the certificates of a Secret.
func (h *home) contextHas(secret *corev1.Secret) {
	h.t.Helper()
	for file, key := range map[string]string{"ca.pem": "ca.crt", "cert.pem": "tls.crt", "key.pem": "tls.key"} {
		h.eventually("the context's "+file+" is that of "+secret.Name, func() (bool, string) {
			paths, err := filepath.Glob(filepath.Join(h.dir, ".docker", "contexts", "tls", "*", "docker", file))
			if err != nil || len(paths) != 1 {
				return false, fmt.Sprint(paths, err)
			}
			data, err := os.ReadFile(paths[0])
			return err == nil && bytes.Equal(data, secret.Data[key]), fmt.Sprintf("%s %v", data, err)
		})
	}
}
