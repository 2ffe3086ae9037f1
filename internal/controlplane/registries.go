// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/client-go/discovery"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	admissionregistrationrest "k8s.io/kubernetes/pkg/registry/admissionregistration/rest"
	authenticationrest "k8s.io/kubernetes/pkg/registry/authentication/rest"
	authorizationrest "k8s.io/kubernetes/pkg/registry/authorization/rest"
	coordinationrest "k8s.io/kubernetes/pkg/registry/coordination/rest"
	configmapstorage "k8s.io/kubernetes/pkg/registry/core/configmap/storage"
	eventstorage "k8s.io/kubernetes/pkg/registry/core/event/storage"
	namespacestorage "k8s.io/kubernetes/pkg/registry/core/namespace/storage"
	secretstorage "k8s.io/kubernetes/pkg/registry/core/secret/storage"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"

	// The types of the groups above register themselves with legacyscheme, which the
	// registries use.
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/authentication/install"
	_ "k8s.io/kubernetes/pkg/apis/authorization/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
)

// eventTTL is how long the store keeps Events, as in a cluster.
const eventTTL = time.Hour

// nativeResources enables the API groups that RDD serves besides custom
// resources and their definitions.
func nativeResources() *serverstorage.ResourceConfig {
	config := serverstorage.NewResourceConfig()
	config.EnableVersions(
		corev1.SchemeGroupVersion,
		admissionregistrationv1.SchemeGroupVersion,
		authenticationv1.SchemeGroupVersion,
		authorizationv1.SchemeGroupVersion,
		coordinationv1.SchemeGroupVersion,
		eventsv1.SchemeGroupVersion,
		rbacv1.SchemeGroupVersion,
	)
	return config
}

// groupProvider creates the registries of one API group.
type groupProvider interface {
	GroupName() string
	NewRESTStorage(serverstorage.APIResourceConfigSource, generic.RESTOptionsGetter) (genericapiserver.APIGroupInfo, error)
}

// installNative adds the built-in API groups to the server, in the order of discovery.
func installNative(server *genericapiserver.GenericAPIServer, c *chain) error {
	resources := nativeResources()
	options := c.storages.native(resources)
	events, err := eventstorage.NewREST(options, uint64(eventTTL.Seconds()))
	if err != nil {
		return err
	}
	legacy, err := coreGroup(options, events, c.auth.serviceAccounts)
	if err != nil {
		return err
	}
	if err := server.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, &legacy); err != nil {
		return err
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(c.clientConfig)
	if err != nil {
		return err
	}
	newer := eventsGroup(events)
	groups := []*genericapiserver.APIGroupInfo{&newer}
	for _, provider := range []groupProvider{
		authenticationrest.RESTStorageProvider{Authenticator: c.auth.authenticator, APIAudiences: c.auth.audiences},
		authorizationrest.RESTStorageProvider{Authorizer: c.auth.authorizer, RuleResolver: c.auth.rules},
		rbacrest.RESTStorageProvider{Authorizer: c.auth.authorizer},
		coordinationrest.RESTStorageProvider{},
		admissionregistrationrest.RESTStorageProvider{Authorizer: c.auth.authorizer, DiscoveryClient: discoveryClient},
	} {
		group, err := provider.NewRESTStorage(resources, options)
		if err != nil {
			return err
		}
		groups = append(groups, &group)
	}
	return server.InstallAPIGroups(groups...)
}

// eventsGroup serves Events in the API group that newer clients use. They are the same
// objects as in the core group.
func eventsGroup(events *eventstorage.REST) genericapiserver.APIGroupInfo {
	group := genericapiserver.NewDefaultAPIGroupInfo(eventsv1.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	group.VersionedResourcesStorageMap[eventsv1.SchemeGroupVersion.Version] = map[string]rest.Storage{"events": events}
	return group
}

// coreGroup is the part of the core group that is useful without nodes.
func coreGroup(options generic.RESTOptionsGetter, events *eventstorage.REST, serviceAccounts serviceAccountRegistry) (genericapiserver.APIGroupInfo, error) {
	group := genericapiserver.NewDefaultAPIGroupInfo(core.GroupName, legacyscheme.Scheme, legacyscheme.ParameterCodec, legacyscheme.Codecs)
	configMaps, err := configmapstorage.NewREST(options)
	if err != nil {
		return group, err
	}
	secrets, err := secretstorage.NewREST(options)
	if err != nil {
		return group, err
	}
	namespaces, namespaceStatus, namespaceFinalize, err := namespacestorage.NewREST(options)
	if err != nil {
		return group, err
	}
	accounts, err := serviceAccounts(options, secrets.Store)
	if err != nil {
		return group, err
	}
	group.VersionedResourcesStorageMap[corev1.SchemeGroupVersion.Version] = map[string]rest.Storage{
		"configmaps":            configMaps,
		"events":                events,
		"namespaces":            namespaces,
		"namespaces/finalize":   namespaceFinalize,
		"namespaces/status":     namespaceStatus,
		"secrets":               secrets,
		"serviceaccounts":       accounts,
		"serviceaccounts/token": accounts.Token,
	}
	return group, nil
}
