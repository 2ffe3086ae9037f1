// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/features"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/filters"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/openapi"
	"k8s.io/apiserver/pkg/util/webhook"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	rddopenapi "github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/openapi"
	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/quiet" // the API server's queues must not tick
)

const (
	// masterCount above one makes the API server wait 5 s before it establishes a
	// definition, for its peers. RDD's has none.
	masterCount = 1

	requestTimeout = time.Minute

	apiTitle = "Rancher Desktop daemon"

	// watchDrain bounds the wait for watches at shutdown.
	watchDrain = time.Second
)

// setFeatures sets the Kubernetes libraries' global feature gates.
var setFeatures = sync.OnceValue(func() error {
	etcdfeature.DefaultFeatureSupportChecker = storeFeatures{etcdfeature.DefaultFeatureSupportChecker}
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{
		// Leases of API server peers: RDD's has none.
		string(features.APIServerIdentity):                   false,
		string(features.UnknownVersionInteroperabilityProxy): false,
		// Each of these costs timers, goroutines or memory for every resource, for the
		// benefit of clusters: here the store serves old pages of lists, priority and
		// fairness is off, and the cache is in the store's process.
		string(features.ListFromCacheSnapshot):       false,
		string(features.SizeBasedListCostEstimate):   false,
		string(features.DetectCacheInconsistency):    false,
		string(features.ConcurrentWatchObjectDecode): false,
	})
})

// chain is the API server under construction: a server of the built-in groups, which
// delegates other requests to one of custom resources.
type chain struct {
	generic      *genericapiserver.Config
	loopback     *loopback
	clientConfig *rest.Config // through loopback
	client       kubernetes.Interface
	schemas      *schemas
	dynamic      dynamic.Interface
	informers    *informerSet
	refused      refusals // informers that are not in the set
	mapper       meta.ResettableRESTMapper
	auth         *auth
	admission    admission.Interface
	hooked       *hooked
	storages     storages
	kindsChanged chan struct{}
	kinds        atomic.Uint64 // counts changes of the served kinds

	// openAPIv2 returns a configuration for one document, which modifies it.
	openAPIv2 func() *common.Config

	custom *apiextensionsserver.CustomResourceDefinitions
	front  *genericapiserver.GenericAPIServer
}

// newChain composes the API server. Only the watch caches are running after it.
func newChain(cfg Config) (*chain, error) {
	if err := setFeatures(); err != nil {
		return nil, err
	}
	noProgress.Store(!cfg.Store.WatchProgress())
	c := &chain{loopback: newLoopback(), storages: storages{cfg.Store}, kindsChanged: make(chan struct{}, 1), hooked: newHooked(cfg.Hooks)}
	steps := []func(Config) error{c.makeDefinitions, c.makeClients, c.makeGeneric, c.makeAuth, c.makeAdmission, c.makeCustom, c.makeFront}
	for _, step := range steps {
		if err := c.refused.guard(func() error { return step(cfg) }); err != nil {
			return nil, fmt.Errorf("compose the API server: %w", err)
		}
	}
	return c, nil
}

// makeDefinitions creates the initial definitions.
func (c *chain) makeDefinitions(cfg Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	return c.seed(ctx, cfg.Definitions)
}

func (c *chain) makeClients(cfg Config) (err error) {
	c.clientConfig = c.loopback.config(cfg.loopbackToken)
	c.clientConfig.ContentType = runtime.ContentTypeProtobuf
	if c.client, err = kubernetes.NewForConfig(c.clientConfig); err != nil {
		return err
	}
	c.schemas = &schemas{Interface: c.client}
	if c.dynamic, err = dynamic.NewForConfig(c.loopback.config(cfg.loopbackToken)); err != nil {
		return err
	}
	if c.informers, err = newInformerSet(c.client, &c.refused); err != nil {
		return err
	}
	discovered := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(c.client.Discovery()))
	c.mapper = meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{mapperOf(cfg.Definitions), discovered}}
	return nil
}

// mapperOf maps the kinds of definitions before discovery does: otherwise a policy with
// such a parameter kind would be invalid for a second.
func mapperOf(definitions []*apiextensionsv1.CustomResourceDefinition) meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, definition := range definitions {
		names, scope := definition.Spec.Names, meta.RESTScopeRoot
		if definition.Spec.Scope == apiextensionsv1.NamespaceScoped {
			scope = meta.RESTScopeNamespace
		}
		for _, version := range servedVersions(definition) {
			served := schema.GroupVersion{Group: definition.Spec.Group, Version: version}
			mapper.AddSpecific(served.WithKind(names.Kind), served.WithResource(names.Plural), served.WithResource(names.Singular), scope)
		}
	}
	return mapper
}

func dropManagedFields(obj any) (any, error) {
	if accessor, err := meta.Accessor(obj); err == nil {
		accessor.SetManagedFields(nil)
	}
	return obj, nil
}

func (c *chain) makeGeneric(cfg Config) error {
	g := genericapiserver.NewConfig(legacyscheme.Codecs)
	if _, _, _, err := cfg.serving.certificates.Current(); err != nil {
		return err
	}
	g.SecureServing = &genericapiserver.SecureServingInfo{Listener: cfg.Listener, Cert: cfg.serving}
	address := cfg.Listener.Addr().(*net.TCPAddr)
	g.PublicAddress, g.ExternalAddress = address.IP, address.String()
	g.LoopbackClientConfig = c.clientConfig
	g.EffectiveVersion = effectiveVersion{compatibility.DefaultBuildEffectiveVersion(), cfg.Version}
	g.FeatureGate = utilfeature.DefaultFeatureGate
	g.MergedResourceConfig = nativeResources()
	g.RequestTimeout = requestTimeout
	g.ShutdownWatchTerminationGracePeriod = watchDrain
	g.LongRunningFunc = longRunning(cfg.Handlers)
	g.DisabledPostStartHooks = sets.NewString(informersHook, inFlightHook)
	g.EnableProfiling = true // /debug/pprof, for administrators only
	g.ReadyzChecks = append(g.ReadyzChecks, cfg.ReadyChecks...)
	g.AddHealthChecks(storeCheck(cfg.Store))
	g.AggregatedDiscoveryGroupManager = aggregated.NewResourceManager("apis")
	g.BuildHandlerChainFunc = func(handler http.Handler, config *genericapiserver.Config) http.Handler {
		return cfg.drain.filter(genericapiserver.DefaultBuildHandlerChain(strangers(handler, cfg.authenticated), config))
	}
	definitions := openapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(rddopenapi.Definitions)
	namer := openapinamer.NewDefinitionNamer(legacyscheme.Scheme, apiextensionsserver.Scheme)
	g.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	g.OpenAPIV3Config.Info.Title = apiTitle
	c.openAPIv2 = func() *common.Config {
		config := genericapiserver.DefaultOpenAPIConfig(definitions, namer)
		config.Info.Title, config.Info.Version = apiTitle, cfg.Version
		return config
	}
	c.generic = g
	return nil
}

func (c *chain) makeAuth(cfg Config) (err error) {
	if c.auth, err = newAuth(cfg.Identity, c.client, c.informers); err != nil {
		return err
	}
	c.generic.Authentication.APIAudiences = c.auth.audiences
	c.generic.Authentication.Authenticator = c.auth.authenticator
	c.generic.Authorization.Authorizer = c.auth.authorizer
	c.generic.RuleResolver = c.auth.rules
	return nil
}

func (c *chain) makeAdmission(cfg Config) (err error) {
	c.admission, err = newAdmission(c, cfg)
	c.generic.AdmissionControl = c.admission
	return err
}

// makeCustom creates the server of custom resources, the last in the chain.
func (c *chain) makeCustom(cfg Config) error {
	g := *c.generic // with its own hooks and storage, the rest is shared
	g.PostStartHooks = map[string]genericapiserver.PostStartHookConfigEntry{}
	g.RESTOptionsGetter = c.storages.definitions()
	g.SkipOpenAPIInstallation = true // the front server serves its documents
	g.MergedResourceConfig = serverstorage.NewResourceConfig()
	g.MergedResourceConfig.EnableVersions(apiextensionsv1.SchemeGroupVersion)

	config := apiextensionsserver.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: g, SharedInformerFactory: c.informers},
		ExtraConfig: apiextensionsserver.ExtraConfig{
			CRDRESTOptionsGetter: c.storages.custom(),
			MasterCount:          masterCount,
			ServiceResolver:      webhook.NewDefaultServiceResolver(),
			AuthResolverWrapper:  c.asCaller(cfg),
		},
	}
	var err error
	c.custom, err = config.Complete().New(genericapiserver.NewEmptyDelegateWithCustomHandler(http.HandlerFunc(unknownPath)))
	return err
}

// unknownPath answers requests for unknown paths. Until the definitions are read it
// does not answer 404, from which a client would conclude that the resource does not
// exist, and stop its watch.
func unknownPath(w http.ResponseWriter, r *http.Request) {
	if genericapifilters.NoMuxAndDiscoveryIncompleteKey(r.Context()) {
		http.NotFound(w, r)
		return
	}
	err := apierrors.NewServiceUnavailable("the API server is starting")
	responsewriters.ErrorNegotiated(err, apiextensionsserver.Codecs, schema.GroupVersion{}, w, r)
}

// makeFront creates the server that receives requests first.
func (c *chain) makeFront(cfg Config) (err error) {
	if c.front, err = c.generic.Complete(c.informers).New("rdd", c.custom.GenericAPIServer); err != nil {
		return err
	}
	if err := installNative(c.front, c); err != nil {
		return err
	}
	c.front.Handler.NonGoRestfulMux.Handle(openAPIv2Path, &openAPIv2{build: c.buildOpenAPIv2, kinds: c.kinds.Load, idle: openAPIv2Idle})
	if err := installIssuer(c.front, c.auth.keys); err != nil {
		return err
	}
	for path, handler := range cfg.Handlers {
		handle := c.front.Handler.NonGoRestfulMux.Handle
		if strings.HasSuffix(path, "/") {
			handle = c.front.Handler.NonGoRestfulMux.HandlePrefix
		}
		handle(path, handler)
	}
	return c.addHooks(cfg)
}

// longRunning returns a check for requests without a time limit: watches, and the
// requests of other handlers.
func longRunning(handlers map[string]http.Handler) request.LongRunningRequestCheck {
	watches := filters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString())
	return func(r *http.Request, info *request.RequestInfo) bool {
		for path := range handlers {
			if info.Path == path || strings.HasSuffix(path, "/") && strings.HasPrefix(info.Path, path) {
				return true
			}
		}
		return watches(r, info)
	}
}

// effectiveVersion is a Kubernetes version that also names RDD's.
type effectiveVersion struct {
	basecompatibility.EffectiveVersion
	full string
}

// Info implements [basecompatibility.EffectiveVersion].
func (v effectiveVersion) Info() *apimachineryversion.Info {
	info := *v.EffectiveVersion.Info()
	info.GitVersion = v.full
	info.Major = fmt.Sprint(v.EmulationVersion().Major())
	info.Minor = fmt.Sprint(v.EmulationVersion().Minor())
	return &info
}
