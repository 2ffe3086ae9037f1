// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/demo"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

const patience = 30 * time.Second

func clientset(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	if err != nil {
		t.Fatalf("never: %s", what)
	}
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// TestAPI runs what does not disturb others on one control plane.
func TestAPI(t *testing.T) {
	env := controlplanetest.Start(t)
	env.Install(manager.Definitions(mirror.Controllers(nil)))
	t.Run("Anonymous", func(t *testing.T) { testAnonymous(t, env) })
	t.Run("Discovery", func(t *testing.T) { testDiscovery(t, env) })
	t.Run("ServerSideApply", func(t *testing.T) { testServerSideApply(t, env) })
	t.Run("UntrackedFields", func(t *testing.T) { testUntrackedFields(t, env) })
	t.Run("WatchResumes", func(t *testing.T) { testWatchResumes(t, env) })
	t.Run("ChunkedList", func(t *testing.T) { testChunkedList(t, env) })
	t.Run("Deletion", func(t *testing.T) { testDeletion(t, env) })
	t.Run("NamespaceDeletion", func(t *testing.T) { testNamespaceDeletion(t, env) })
	t.Run("ServiceAccount", func(t *testing.T) { testServiceAccount(t, env) })
	t.Run("PolicyParameters", func(t *testing.T) { testPolicyParameters(t, env) })
	t.Run("Events", func(t *testing.T) { testEvents(t, env) })
	t.Run("Issuer", func(t *testing.T) { testIssuer(t, env) })
	t.Run("OpenAPI", func(t *testing.T) { testOpenAPI(t, env) })
	t.Run("OpenAPIv2", func(t *testing.T) { testOpenAPIv2(t, env) })
}

// request makes a request as curl would, without a token if it is empty.
func request(t *testing.T, env *controlplanetest.Env, token, path, accept string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: patience}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+env.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func testAnonymous(t *testing.T, env *controlplanetest.Env) {
	for _, path := range []string{"/healthz", "/livez", "/readyz", "/version", "/readyz?verbose"} {
		status, body := request(t, env, "", path, "")
		if status != http.StatusOK || path != "/version" && body != "ok" {
			t.Errorf("GET %s without a token: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/", "/api", "/apis", "/api/v1/namespaces", "/metrics", "/openapi/v3", "/readyz/ping", "/debug/pprof/",
		"/apis/containers.rancherdesktop.io/v1alpha1/containers", "/passthrough/demo/hello", "/version/"} {
		if status, _ := request(t, env, "", path, ""); status != http.StatusUnauthorized {
			t.Errorf("GET %s without a token: %d, want 401", path, status)
		}
		if status, _ := request(t, env, "wrong", path, ""); status != http.StatusUnauthorized {
			t.Errorf("GET %s with a wrong token: %d, want 401", path, status)
		}
	}
	if _, body := request(t, env, env.Identity.AdminToken, "/readyz?verbose", ""); !strings.Contains(body, "[+]store ok") {
		t.Errorf("GET /readyz?verbose with a token: %s", body)
	}
	var info struct{ GitVersion string }
	_, body := request(t, env, "", "/version", "")
	if err := json.Unmarshal([]byte(body), &info); err != nil || !strings.HasPrefix(info.GitVersion, "v1.") || !strings.Contains(info.GitVersion, "+rdd-") {
		t.Errorf("GET /version: %s, %v", body, err)
	}
}

// testDiscovery sees the groups of custom resources with and without
// aggregated discovery.
func testDiscovery(t *testing.T, env *controlplanetest.Env) {
	want := []string{"apiextensions.k8s.io", "rbac.authorization.k8s.io", "containers.rancherdesktop.io"}
	_, body := request(t, env, env.Identity.AdminToken, "/apis", "application/json")
	var groups metav1.APIGroupList
	if err := json.Unmarshal([]byte(body), &groups); err != nil || groups.Kind != "APIGroupList" {
		t.Fatalf("GET /apis: %v: %s", err, body)
	}
	var names []string
	for _, group := range groups.Groups {
		names = append(names, group.Name)
	}
	for _, group := range want {
		if !slices.Contains(names, group) {
			t.Errorf("GET /apis lacks %s: %v", group, names)
		}
	}
	client, err := discovery.NewDiscoveryClientForConfig(env.Remote())
	if err != nil {
		t.Fatal(err)
	}
	_, resources, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, list := range resources {
		for _, resource := range list.APIResources {
			found[list.GroupVersion+"/"+resource.Name] = true
		}
	}
	for _, resource := range []string{"v1/namespaces", "v1/events", "apiextensions.k8s.io/v1/customresourcedefinitions",
		"containers.rancherdesktop.io/v1alpha1/containers", "containers.rancherdesktop.io/v1alpha1/containers/status",
		"coordination.k8s.io/v1/leases", "admissionregistration.k8s.io/v1/validatingadmissionpolicies"} {
		if !found[resource] {
			t.Errorf("discovery lacks %s", resource)
		}
	}
}

func testServerSideApply(t *testing.T, env *controlplanetest.Env) {
	maps := clientset(t, env.Remote()).CoreV1().ConfigMaps("default")
	apply := func(manager, value string, force bool) error {
		_, err := maps.Apply(t.Context(), applycorev1.ConfigMap("applied", "default").WithData(map[string]string{"key": value}),
			metav1.ApplyOptions{FieldManager: manager, Force: force})
		return err
	}
	if err := apply("one", "a", false); err != nil {
		t.Fatal(err)
	}
	if err := apply("two", "b", false); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("the second manager: %v, want a conflict with the first", err)
	}
	if err := apply("two", "a", false); err != nil {
		t.Errorf("the same value: %v", err)
	}
	if err := apply("two", "b", true); err != nil {
		t.Errorf("by force: %v", err)
	}
	if got, err := maps.Get(t.Context(), "applied", metav1.GetOptions{}); err != nil || got.Data["key"] != "b" {
		t.Errorf("applied: %v, %v", got.Data, err)
	}
}

// volumes is a client of a kind whose resources are custom ones.
func volumes(t *testing.T, env *controlplanetest.Env) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(env.Remote())
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(containersv1alpha1.GroupVersion.WithResource("volumes")).Namespace("default")
}

func volume(name, color string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(containersv1alpha1.GroupVersion.String())
	object.SetKind("Volume")
	object.SetName(name)
	object.SetLabels(map[string]string{"color": color})
	return object
}

// testUntrackedFields sees that no fields of mirrors are recorded for any
// manager until a client applies, whose conflicts are then found.
func testUntrackedFields(t *testing.T, env *controlplanetest.Env) {
	volumes := volumes(t, env)
	managers := func(object *unstructured.Unstructured) (names []string) {
		for _, entry := range object.GetManagedFields() {
			names = append(names, entry.Manager)
		}
		slices.Sort(names)
		return names
	}
	created, err := volumes.Create(t.Context(), volume("created", "red"), metav1.CreateOptions{FieldManager: "one"})
	if err != nil || len(managers(created)) != 0 {
		t.Fatalf("a new object: managers %q, %v", managers(created), err)
	}
	created.SetAnnotations(map[string]string{"a": "b"})
	updated, err := volumes.Update(t.Context(), created, metav1.UpdateOptions{FieldManager: "one"})
	if err != nil || len(managers(updated)) != 0 {
		t.Fatalf("after an update: managers %q, %v", managers(updated), err)
	}
	_, err = volumes.Apply(t.Context(), "created", volume("created", "blue"), metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) {
		t.Errorf("another's value was applied: %v", err)
	}
	applied, err := volumes.Apply(t.Context(), "applied", volume("applied", "red"), metav1.ApplyOptions{FieldManager: "one"})
	if err != nil || !slices.Equal(managers(applied), []string{"one"}) {
		t.Fatalf("an object made by apply: managers %q, %v", managers(applied), err)
	}
	_, err = volumes.Apply(t.Context(), "applied", volume("applied", "blue"), metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) {
		t.Errorf("another's value was applied: %v", err)
	}
}

func testWatchResumes(t *testing.T, env *controlplanetest.Env) {
	maps := clientset(t, env.Remote()).CoreV1().ConfigMaps("default")
	first, err := maps.Create(t.Context(), configMap("resume-0"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		if _, err := maps.Create(t.Context(), configMap(fmt.Sprintf("resume-%d", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	watcher, err := maps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	for i := 1; i <= 3; i++ {
		event := next(t, watcher)
		if got, ok := event.Object.(*corev1.ConfigMap); !ok || event.Type != watch.Added || got.Name != fmt.Sprintf("resume-%d", i) {
			t.Fatalf("event %d: %v %v", i, event.Type, event.Object)
		}
	}
}

func next(t *testing.T, watcher watch.Interface) watch.Event {
	t.Helper()
	select {
	case event, ok := <-watcher.ResultChan():
		if !ok {
			t.Fatal("the watch ended")
		}
		return event
	case <-time.After(patience):
		t.Fatal("no event")
	}
	return watch.Event{}
}

func testChunkedList(t *testing.T, env *controlplanetest.Env) {
	maps := clientset(t, env.Remote()).CoreV1().ConfigMaps("kube-system")
	const count = 25
	for i := range count {
		if _, err := maps.Create(t.Context(), configMap(fmt.Sprintf("chunk-%02d", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	options := metav1.ListOptions{Limit: 10}
	for {
		list, err := maps.List(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) > 10 {
			t.Errorf("a chunk of %d", len(list.Items))
		}
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	if len(names) != count || !slices.IsSorted(names) {
		t.Errorf("%d names: %v", len(names), names)
	}
}

// testDeletion deletes an owner in the three ways that there are.
func testDeletion(t *testing.T, env *controlplanetest.Env) {
	maps := clientset(t, env.Remote()).CoreV1().ConfigMaps("default")
	for _, test := range []struct {
		policy metav1.DeletionPropagation
		lives  bool
	}{{metav1.DeletePropagationForeground, false}, {metav1.DeletePropagationBackground, false}, {metav1.DeletePropagationOrphan, true}} {
		t.Run(string(test.policy), func(t *testing.T) {
			owner, err := maps.Create(t.Context(), configMap("owner-"+strings.ToLower(string(test.policy))), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			owned := configMap("owned-" + strings.ToLower(string(test.policy)))
			owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, BlockOwnerDeletion: ptr.To(true)}}
			if owned, err = maps.Create(t.Context(), owned, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := maps.Delete(t.Context(), owner.Name, metav1.DeleteOptions{PropagationPolicy: &test.policy}); err != nil {
				t.Fatal(err)
			}
			gone := func(name string) bool {
				_, err := maps.Get(t.Context(), name, metav1.GetOptions{})
				return apierrors.IsNotFound(err)
			}
			eventually(t, "the owner is gone", func() bool { return gone(owner.Name) })
			if !test.lives {
				eventually(t, "the owned object is gone", func() bool { return gone(owned.Name) })
				return
			}
			left, err := maps.Get(t.Context(), owned.Name, metav1.GetOptions{})
			if err != nil || len(left.OwnerReferences) != 0 {
				t.Errorf("the orphan: %v, %v", left, err)
			}
		})
	}
}

func testNamespaceDeletion(t *testing.T, env *controlplanetest.Env) {
	client := clientset(t, env.Remote())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "going"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	held := configMap("held")
	held.Finalizers = []string{"example.com/hold"}
	for _, object := range []*corev1.ConfigMap{configMap("plain"), held} {
		if _, err := client.CoreV1().ConfigMaps("going").Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.CoreV1().Namespaces().Delete(t.Context(), "going", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plain object is gone", func() bool {
		_, err := client.CoreV1().ConfigMaps("going").Get(t.Context(), "plain", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := client.CoreV1().ConfigMaps("going").Create(t.Context(), configMap("late"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a create in a namespace that goes: %v, want forbidden", err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "going", metav1.GetOptions{}); err != nil {
		t.Errorf("the namespace went before what is in it: %v", err)
	}
	_, err := client.CoreV1().ConfigMaps("going").Patch(t.Context(), "held", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is gone", func() bool {
		_, err := client.CoreV1().Namespaces().Get(t.Context(), "going", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if err := client.CoreV1().Namespaces().Delete(t.Context(), "default", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("deleting the namespace default: %v, want forbidden", err)
	}
}

// testServiceAccount gives an account some rights, and sees that it has those
// and no others.
func testServiceAccount(t *testing.T, env *controlplanetest.Env) {
	admin := clientset(t, env.Remote())
	ctx := t.Context()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}
	if _, err := admin.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := admin.CoreV1().ServiceAccounts("default").CreateToken(ctx, "robot", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	robot := clientset(t, env.Remote(token.Status.Token))
	if _, err := robot.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("without rights: %v, want forbidden", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "robot"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "robot"}},
	}
	if _, err := admin.RbacV1().RoleBindings("default").Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the account may list", func() bool {
		_, err := robot.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{})
		return err == nil
	})
	if _, err := robot.CoreV1().ConfigMaps("default").Create(ctx, configMap("robots"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a write with rights to read: %v, want forbidden", err)
	}
	review, err := robot.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: "default", Verb: "watch", Group: "containers.rancherdesktop.io", Resource: "containers",
		}},
	}, metav1.CreateOptions{})
	if err != nil || !review.Status.Allowed {
		t.Errorf("can-i watch containers: %+v, %v", review, err)
	}
	result, err := admin.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}, metav1.CreateOptions{})
	if err != nil || !result.Status.Authenticated || result.Status.User.Username != "system:serviceaccount:default:robot" {
		t.Errorf("token review: %+v, %v", result, err)
	}
}

// testOpenAPI finds the documents that kubectl explain reads.
func testOpenAPI(t *testing.T, env *controlplanetest.Env) {
	for path, word := range map[string]string{
		"/openapi/v3/api/v1":                                     "io.k8s.api.core.v1.ConfigMap",
		"/openapi/v3/apis/apiextensions.k8s.io/v1":               "CustomResourceDefinitionSpec",
		"/openapi/v3/apis/containers.rancherdesktop.io/v1alpha1": "exitCode",
	} {
		eventually(t, path+" describes "+word, func() bool {
			status, body := request(t, env, env.Identity.AdminToken, path, "application/json")
			return status == http.StatusOK && strings.Contains(body, word)
		})
	}
}

// testOpenAPIv2 finds all kinds in the one document that older clients read, in both of
// its forms, also a kind that was defined after it was read before.
func testOpenAPIv2(t *testing.T, env *controlplanetest.Env) {
	const path = "/openapi/v2"
	var document struct {
		Swagger     string
		Paths       map[string]any
		Definitions map[string]struct {
			Properties map[string]any
			Kinds      []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
		}
	}
	read := func() {
		t.Helper()
		status, body := request(t, env, env.Identity.AdminToken, path, "application/json")
		if err := json.Unmarshal([]byte(body), &document); err != nil || status != http.StatusOK || document.Swagger != "2.0" {
			t.Fatalf("%d, %v: %.200s", status, err, body)
		}
	}
	read()
	for name, kind := range map[string]metav1.GroupVersionKind{
		"io.k8s.api.core.v1.ConfigMap": {Version: "v1", Kind: "ConfigMap"},
		"io.k8s.api.events.v1.Event":   {Group: "events.k8s.io", Version: "v1", Kind: "Event"},
		"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition": {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		"io.rancherdesktop.containers.v1alpha1.Container":                                   {Group: "containers.rancherdesktop.io", Version: "v1alpha1", Kind: "Container"},
	} {
		if got := document.Definitions[name]; !slices.Contains(got.Kinds, kind) || got.Properties["metadata"] == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, want := range []string{"/api/v1/namespaces/{namespace}/configmaps", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
		"/apis/containers.rancherdesktop.io/v1alpha1/namespaces/{namespace}/containers/{name}"} {
		if document.Paths[want] == nil {
			t.Errorf("no path %s", want)
		}
	}
	parsed, err := clientset(t, env.Remote()).Discovery().OpenAPISchema() // as kubectl asks, in protobuf
	if err != nil || len(parsed.GetDefinitions().GetAdditionalProperties()) != len(document.Definitions) {
		t.Errorf("in protobuf: %d definitions of %d, %v", len(parsed.GetDefinitions().GetAdditionalProperties()), len(document.Definitions), err)
	}
	if status, _ := request(t, env, "", path, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if document.Definitions["io.rancherdesktop.app.v1alpha1.Demo"].Properties != nil {
		t.Fatal("there is a Demo already")
	}
	env.Install(manager.Definitions(demo.Controllers()))
	eventually(t, "a new kind is in the document", func() bool {
		read()
		return document.Definitions["io.rancherdesktop.app.v1alpha1.Demo"].Properties["spec"] != nil
	})
}

// TestTooOldWatch: after a restart the history is gone, and a client that requests it
// gets the error that makes it list again.
func TestTooOldWatch(t *testing.T) {
	env := controlplanetest.Start(t)
	env.Install(manager.Definitions(mirror.Controllers(nil)))
	first, err := volumes(t, env).Create(t.Context(), volume("old", "red"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := volumes(t, env).Create(t.Context(), volume("new", "red"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	env.Stop()
	env.Start()
	eventually(t, "the kind is served again", func() bool {
		_, err := volumes(t, env).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	watcher, err := volumes(t, env).Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.GetResourceVersion()})
	if err == nil {
		event := next(t, watcher)
		watcher.Stop()
		err = apierrors.FromObject(event.Object)
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a watch from before the restart: %v, want 410", err)
	}
	if got, err := volumes(t, env).Get(t.Context(), "old", metav1.GetOptions{}); err != nil || got.GetResourceVersion() != first.GetResourceVersion() || got.GetUID() != first.GetUID() {
		t.Errorf("after the restart: %v, %v", got, err)
	}
}

// TestDrain: at shutdown writes from other processes are rejected; reads, and writes
// from this process, continue.
func TestDrain(t *testing.T) {
	env := controlplanetest.Start(t)
	outside, inside := clientset(t, env.Remote()), clientset(t, env.Server.ClientConfig())
	env.Server.Drain()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := outside.CoreV1().ConfigMaps("default").Create(ctx, configMap("x"), metav1.CreateOptions{}); err == nil {
		t.Error("a write from outside was taken")
	}
	if _, err := outside.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("a read from outside: %v", err)
	}
	if _, err := inside.CoreV1().ConfigMaps("default").Create(t.Context(), configMap("y"), metav1.CreateOptions{}); err != nil {
		t.Errorf("a write from inside: %v", err)
	}
}
