// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	serviceaccountuser "k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/serviceaccount"

	"golang.org/x/sync/errgroup"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// basicNamespaces are the namespaces of every cluster, and the default one of RDD's
// kubeconfig.
var basicNamespaces = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, instance.DefaultNamespace}

// rddGroups are the API groups of RDD.
var rddGroups = []string{"app.rancherdesktop.io", "containers.rancherdesktop.io", "lima.rancherdesktop.io", "rdd.rancherdesktop.io"}

// operateRole allows operations on existing containers only: start, stop, delete, and
// read logs. The role edit allows everything that the user who runs RDD can do: a
// ContainerEngine, or a ConfigMap with a lima.yaml and a LimaVM, can name that user's
// files, and exec runs a process.
const operateRole = "operate"

// basicRoles are the roles that clients expect. Roles named system: are bound to all
// authenticated users.
func basicRoles() []*rbacv1.ClusterRole {
	read := []string{"get", "list", "watch"}
	core := []string{"configmaps", "events", "namespaces", "serviceaccounts"}
	view := []rbacv1.PolicyRule{
		{APIGroups: rddGroups, Resources: []string{"*"}, Verbs: read},
		{APIGroups: []string{""}, Resources: core, Verbs: read},
		{APIGroups: []string{eventsv1.GroupName}, Resources: []string{"events"}, Verbs: read},
		{NonResourceURLs: []string{"/passthrough/engine/logs/*"}, Verbs: []string{"get"}},
	}
	return []*rbacv1.ClusterRole{
		clusterRole("cluster-admin",
			rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}},
			rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}}),
		clusterRole("edit",
			rbacv1.PolicyRule{APIGroups: rddGroups, Resources: []string{"*"}, Verbs: []string{"*"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: append(core, "secrets"), Verbs: []string{"*"}},
			rbacv1.PolicyRule{APIGroups: []string{eventsv1.GroupName}, Resources: []string{"events"}, Verbs: []string{"*"}},
			rbacv1.PolicyRule{NonResourceURLs: []string{"/passthrough/*"}, Verbs: []string{"*"}}),
		clusterRole(operateRole, slices.Concat(view, []rbacv1.PolicyRule{{
			APIGroups: []string{"containers.rancherdesktop.io"},
			Resources: []string{"containers"},
			Verbs:     []string{"update", "patch", "delete", "deletecollection"},
		}})...),
		clusterRole("view", view...),
		clusterRole("system:discovery",
			rbacv1.PolicyRule{NonResourceURLs: []string{"/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*",
				"/healthz", "/livez", "/readyz", "/version", "/version/"}, Verbs: []string{"get"}}),
		clusterRole("system:monitoring",
			rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics", "/metrics/*", "/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*"},
				Verbs: []string{"get"}}),
		clusterRole("system:service-account-issuer-discovery",
			rbacv1.PolicyRule{NonResourceURLs: []string{serviceaccount.OpenIDConfigPath, serviceaccount.JWKSPath}, Verbs: []string{"get"}}),
		clusterRole("system:basic-user",
			rbacv1.PolicyRule{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}, Verbs: []string{"create"}},
			rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}, Verbs: []string{"create"}}),
	}
}

func clusterRole(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
}

func basicBindings() []*rbacv1.ClusterRoleBinding {
	var bindings []*rbacv1.ClusterRoleBinding
	for role, group := range map[string]string{
		"cluster-admin":                           user.SystemPrivilegedGroup,
		"system:discovery":                        user.AllAuthenticated,
		"system:basic-user":                       user.AllAuthenticated,
		"system:monitoring":                       user.MonitoringGroup,
		"system:service-account-issuer-discovery": serviceaccountuser.AllServiceAccountsGroup,
	} {
		bindings = append(bindings, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		})
	}
	return bindings
}

// ensureBasics creates the missing ones of the objects that every cluster has. Existing
// ones stay, so that their owner can change them.
func ensureBasics(ctx context.Context, client kubernetes.Interface) error {
	group, ctx := errgroup.WithContext(ctx)
	ensure := func(name string, get, create func() error) {
		group.Go(func() error {
			err := get()
			if apierrors.IsNotFound(err) {
				err = create()
			}
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create %s: %w", name, err)
			}
			return nil
		})
	}
	for _, name := range basicNamespaces {
		namespaces := client.CoreV1().Namespaces()
		ensure("the namespace "+name,
			func() error { _, err := namespaces.Get(ctx, name, metav1.GetOptions{}); return err },
			func() error {
				_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
				return err
			})
	}
	for _, role := range basicRoles() {
		roles := client.RbacV1().ClusterRoles()
		ensure("the role "+role.Name,
			func() error { _, err := roles.Get(ctx, role.Name, metav1.GetOptions{}); return err },
			func() error { _, err := roles.Create(ctx, role, metav1.CreateOptions{}); return err })
	}
	for _, binding := range basicBindings() {
		bindings := client.RbacV1().ClusterRoleBindings()
		ensure("the binding "+binding.Name,
			func() error { _, err := bindings.Get(ctx, binding.Name, metav1.GetOptions{}); return err },
			func() error { _, err := bindings.Create(ctx, binding, metav1.CreateOptions{}); return err })
	}
	return group.Wait()
}
