// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emicklei/go-restful/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapiv3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kube-openapi/pkg/builder3"
	"k8s.io/kube-openapi/pkg/common/restfuladapter"
	"k8s.io/kube-openapi/pkg/spec3"
)

const (
	// storeTimeout bounds a health check of the store.
	storeTimeout = 2 * time.Second

	// A hook retries after a pause if it came too early.
	hookPause    = 100 * time.Millisecond
	hookPatience = time.Minute
)

func storeCheck(s Store) healthz.HealthChecker {
	return healthz.NamedCheck("store", func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
		defer cancel()
		return s.Ping(ctx)
	})
}

// informersHook is the hook of the generic API server that starts its informers.
const informersHook = "generic-apiserver-start-informers"

// addInformersHook starts the informers when everything that admission reads is
// installed: it notices later policies only after a second. A policy's parameters are
// custom resources: their kind must be served when the policy is found.
func (c *chain) addInformersHook(cfg Config) error {
	definitions := c.custom.Informers.Apiextensions().V1().CustomResourceDefinitions().Informer()
	return c.front.AddPostStartHook("rdd-informers", func(hook genericapiserver.PostStartHookContext) error {
		cache.WaitFor(hook, "", definitions.HasSyncedChecker())
		if cfg.Prepare != nil {
			if err := cfg.Prepare(hook, c.client); err != nil {
				return err
			}
		}
		c.informers.Start(hook.Done())
		return nil
	})
}

// addHooks adds the tasks that make the chain look like one server: complete discovery
// and OpenAPI documents.
func (c *chain) addHooks(cfg Config) error {
	if err := c.addInformersHook(cfg); err != nil {
		return err
	}
	definitions := c.custom.Informers.Apiextensions().V1().CustomResourceDefinitions()
	handler, err := definitions.Informer().AddEventHandler(c.discoveryHandler())
	if err != nil {
		return err
	}
	if err := c.front.AddPostStartHook("rdd-discovery", func(hook genericapiserver.PostStartHookContext) error {
		cache.WaitFor(hook, "", handler.HasSyncedChecker())
		return nil
	}); err != nil {
		return err
	}
	if err := c.front.AddPostStartHook("rdd-basics", func(hook genericapiserver.PostStartHookContext) error {
		return patiently(hook, func(ctx context.Context) error { return ensureBasics(ctx, c.client) })
	}); err != nil {
		return err
	}
	own, err := c.definitionsDocuments()
	if err != nil {
		return err
	}
	documents := openapiv3.NewController(definitions)
	return c.front.AddPostStartHook("rdd-openapi", func(hook genericapiserver.PostStartHookContext) error {
		for path, document := range own {
			c.front.OpenAPIV3VersionedService.UpdateGroupVersion(path, document)
		}
		go documents.Run(c.front.OpenAPIV3VersionedService, hook.Done())
		return nil
	})
}

// patiently retries what fails because the server is still starting, as on a very busy
// machine: admission waits some seconds for its caches, and then rejects requests.
func patiently(ctx context.Context, do func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, hookPause, hookPatience, true, func(ctx context.Context) (bool, error) {
		switch last = do(ctx); {
		case last == nil:
			return true, nil
		case apierrors.IsForbidden(last), apierrors.IsTimeout(last), apierrors.IsServerTimeout(last), apierrors.IsServiceUnavailable(last):
			return false, nil
		}
		return false, last
	})
	if wait.Interrupted(err) && last != nil {
		return last
	}
	return err
}

// definitionsDocuments returns the documents of CustomResourceDefinitions by path; the
// front server only delegates these. They share schemas with the front server's
// documents, which building modifies: build all before reading one.
func (c *chain) definitionsDocuments() (map[string]*spec3.OpenAPI, error) {
	documents := map[string]*spec3.OpenAPI{}
	for _, service := range c.definitionsServices() {
		document, err := builder3.BuildOpenAPISpecFromRoutes(restfuladapter.AdaptWebServices([]*restful.WebService{service}), c.generic.OpenAPIV3Config)
		if err != nil {
			return nil, err
		}
		documents[strings.TrimPrefix(service.RootPath(), "/")] = document
	}
	return documents, nil
}

// definitionsServices returns the services of CustomResourceDefinitions.
func (c *chain) definitionsServices() []*restful.WebService {
	var services []*restful.WebService
	for _, service := range c.custom.GenericAPIServer.Handler.GoRestfulContainer.RegisteredWebServices() {
		if strings.HasPrefix(service.RootPath(), "/apis/"+apiextensionsv1.GroupName+"/") {
			services = append(services, service)
		}
	}
	return services
}

// discoveryHandler adds the groups of custom resources to GET /apis, for clients
// without aggregated discovery.
func (c *chain) discoveryHandler() cache.ResourceEventHandler {
	c.front.DiscoveryGroupManager.AddGroup(apiGroup(apiextensionsv1.GroupName, []string{apiextensionsv1.SchemeGroupVersion.Version}))
	sync := func(obj any) {
		definition, ok := obj.(*apiextensionsv1.CustomResourceDefinition)
		if !ok {
			return
		}
		c.syncDiscoveryGroup(definition.Spec.Group)
		c.mapper.Reset()
		c.schemas.change()
		c.kinds.Add(1)
		select {
		case c.kindsChanged <- struct{}{}:
		default: // one is already pending
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    sync,
		UpdateFunc: func(_, obj any) { sync(obj) },
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			sync(obj)
		},
	}
}

func (c *chain) syncDiscoveryGroup(group string) {
	var versions []string
	for _, obj := range c.custom.Informers.Apiextensions().V1().CustomResourceDefinitions().Informer().GetStore().List() {
		definition := obj.(*apiextensionsv1.CustomResourceDefinition)
		if definition.Spec.Group == group && established(definition) {
			versions = append(versions, servedVersions(definition)...)
		}
	}
	if len(versions) == 0 {
		c.front.DiscoveryGroupManager.RemoveGroup(group)
		return
	}
	c.front.DiscoveryGroupManager.AddGroup(apiGroup(group, versions))
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

func servedVersions(definition *apiextensionsv1.CustomResourceDefinition) []string {
	var versions []string
	for _, version := range definition.Spec.Versions {
		if version.Served {
			versions = append(versions, version.Name)
		}
	}
	return versions
}

// drain rejects writes from other processes once it is closed.
type drain struct{ closed atomic.Bool }

func (d *drain) filter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.closed.Load() && !isLoopback(r.Context()) && writes(r.Method) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the control plane is shutting down", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writes(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// apiGroup describes a group with its versions, the most stable first.
func apiGroup(name string, versions []string) metav1.APIGroup {
	group := metav1.APIGroup{Name: name}
	for _, version := range byPriority(versions) {
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{
			GroupVersion: name + "/" + version,
			Version:      version,
		})
	}
	group.PreferredVersion = group.Versions[0]
	return group
}
