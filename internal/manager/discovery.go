// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

const (
	// SystemNamespace has RDD's own objects.
	SystemNamespace = "rdd-system"
	// DiscoveryName is the ConfigMap that lists which controllers run where. Its
	// creation time is the start of the control plane.
	DiscoveryName = "rdd-controller-manager"
	// ReadyAnnotation on the ConfigMap is "true" when the control plane is ready: every
	// enabled kind is served, and every entry written.
	ReadyAnnotation = "rdd.rancherdesktop.io/ready"
	// EmbeddedKey is the entry of the daemon's own manager. The key of an external
	// manager is the name of its API group.
	EmbeddedKey = "embedded"
)

// Entry describes a manager of controllers, as JSON in the discovery ConfigMap.
type Entry struct {
	// EnabledControllers are the sorted names of its controllers.
	EnabledControllers []string `json:"enabledControllers"`
	// EnabledPassthroughs maps a controller to its endpoints' names.
	EnabledPassthroughs map[string][]string `json:"enabledPassthroughs"`
	// The ports on 127.0.0.1; 0 for none.
	HealthPort  int `json:"healthPort"`
	MetricsPort int `json:"metricsPort"`
	// The URLs; empty for none.
	HealthEndpoint      string `json:"healthEndpoint"`
	MetricsEndpoint     string `json:"metricsEndpoint"`
	PassthroughEndpoint string `json:"passthroughEndpoint"`
	// StartTime is the start of the manager.
	StartTime metav1.Time `json:"startTime"`
}

// Same reports whether two entries are equal.
func (e Entry) Same(other Entry) bool {
	times := e.StartTime.Equal(&other.StartTime)
	e.StartTime, other.StartTime = metav1.Time{}, metav1.Time{}
	return times && apiequality.Semantic.DeepEqual(e, other)
}

// Discovery is the ConfigMap from which clients learn where controllers run.
type Discovery struct{ Client kubernetes.Interface }

// Reset creates the ConfigMap again, empty, at the start of the control plane.
func (d Discovery) Reset(ctx context.Context) error {
	if err := EnsureNamespace(ctx, d.Client, SystemNamespace); err != nil {
		return err
	}
	maps := d.Client.CoreV1().ConfigMaps(SystemNamespace)
	if err := maps.Delete(ctx, DiscoveryName, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove the discovery of the last run: %w", err)
	}
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: DiscoveryName}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("start the discovery: %w", err)
	}
	return nil
}

// Publish writes a manager's entry.
func (d Discovery) Publish(ctx context.Context, key string, entry Entry) error {
	value, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	return d.patch(ctx, map[string]any{"data": map[string]any{key: string(value)}})
}

// SetReady sets the ready annotation, the last step of the start.
func (d Discovery) SetReady(ctx context.Context) error {
	return d.patch(ctx, map[string]any{"metadata": map[string]any{"annotations": map[string]any{ReadyAnnotation: "true"}}})
}

func (d Discovery) patch(ctx context.Context, change map[string]any) error {
	data, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = d.Client.CoreV1().ConfigMaps(SystemNamespace).Patch(ctx, DiscoveryName, types.MergePatchType, data, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("update the discovery: %w", err)
	}
	return nil
}

// Withdraw removes a manager's entry, unless another manager has replaced it.
func (d Discovery) Withdraw(ctx context.Context, key string, entry Entry) error {
	state, err := d.Read(ctx)
	if err != nil {
		return err
	}
	if have, ok := state.Entries[key]; !ok || !have.StartTime.Equal(&entry.StartTime) {
		return nil
	}
	return d.patch(ctx, map[string]any{
		"metadata": map[string]any{"uid": state.UID, "resourceVersion": state.Version},
		"data":     map[string]any{key: nil},
	})
}

// State is the content of the ConfigMap.
type State struct {
	UID     types.UID
	Version string
	// Ready is whether the list of the daemon's controllers is complete.
	Ready   bool
	Entries map[string]Entry
}

// Read returns the content of the ConfigMap. An invalid entry is an error.
func (d Discovery) Read(ctx context.Context) (State, error) {
	m, err := d.Client.CoreV1().ConfigMaps(SystemNamespace).Get(ctx, DiscoveryName, metav1.GetOptions{})
	if err != nil {
		return State{}, fmt.Errorf("read the discovery: %w", err)
	}
	state := State{UID: m.UID, Version: m.ResourceVersion, Ready: m.Annotations[ReadyAnnotation] == "true", Entries: map[string]Entry{}}
	for key, value := range m.Data {
		var entry Entry
		if err := json.Unmarshal([]byte(value), &entry); err != nil {
			return State{}, fmt.Errorf("read the entry %q of the discovery: %w", key, err)
		}
		state.Entries[key] = entry
	}
	return state, nil
}

const (
	// passthroughSecret is the prefix of the Secrets with which the API server reaches
	// the endpoints of external managers. A manager's key follows.
	passthroughSecret = "rdd-passthrough-"

	tokenKey     = "token"
	authorityKey = "ca.crt"
)

// Remotes returns the external managers that have endpoints.
func (d Discovery) Remotes(ctx context.Context) ([]passthrough.Remote, error) {
	state, err := d.Read(ctx)
	if err != nil {
		return nil, err
	}
	var remotes []passthrough.Remote
	for key, entry := range state.Entries {
		if key == EmbeddedKey || len(entry.EnabledPassthroughs) == 0 {
			continue
		}
		remote := passthrough.Remote{Endpoints: entry.EnabledPassthroughs, URL: entry.PassthroughEndpoint}
		secret, err := d.Client.CoreV1().Secrets(SystemNamespace).Get(ctx, passthroughSecret+key, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("read the Secret with the endpoints of %s: %w", key, err)
		}
		remote.CA, remote.Token = secret.Data[authorityKey], string(secret.Data[tokenKey])
		remotes = append(remotes, remote)
	}
	return remotes, nil
}

// ShareAccess writes the Secret with which the API server reaches a manager's
// endpoints.
func (d Discovery) ShareAccess(ctx context.Context, key, token string, authority []byte) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: passthroughSecret + key},
		Data:       map[string][]byte{tokenKey: []byte(token), authorityKey: authority},
	}
	if err := manifest.Replace(ctx, d.Client.CoreV1().Secrets(SystemNamespace), secret); err != nil {
		return fmt.Errorf("write the Secret with the endpoints: %w", err)
	}
	return nil
}

// EnsureNamespace creates the namespace if it is missing.
func EnsureNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	namespaces := client.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create the namespace %s: %w", name, err)
	}
	return nil
}
