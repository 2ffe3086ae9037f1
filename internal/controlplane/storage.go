// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/client/v3/kubernetes"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	etcdfeature "k8s.io/apiserver/pkg/storage/feature"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// Store is where the API server stores its objects.
type Store interface {
	// Client returns a client with a watch stream of its own, which the caller closes.
	Client() *kubernetes.Client
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Prefix is the prefix of every key.
	Prefix() string
	// WatchProgress reports whether watchers can rely on reported progress.
	WatchProgress() bool
}

// storages connects the registries of the API server to the store.
type storages struct {
	store Store
}

// native returns the options of the built-in resources.
func (s storages) native(resources serverstorage.APIResourceConfigSource) generic.RESTOptionsGetter {
	config := storagebackend.NewDefaultConfig(s.store.Prefix(), nil)
	encodings := serverstorage.NewDefaultResourceEncodingConfig(legacyscheme.Scheme)
	return nativeOptions{s, serverstorage.NewDefaultStorageFactory(
		*config, runtime.ContentTypeProtobuf, legacyscheme.Codecs, encodings, resources, nil)}
}

// definitions returns the options of CustomResourceDefinitions themselves.
func (s storages) definitions() generic.RESTOptionsGetter {
	codec := apiextensionsserver.Codecs.LegacyCodec(apiextensionsv1.SchemeGroupVersion)
	config := storagebackend.NewDefaultConfig(s.store.Prefix(), codec)
	config.EncodeVersioner = runtime.NewMultiGroupVersioner(apiextensionsv1.SchemeGroupVersion, schema.GroupKind{Group: apiextensions.GroupName})
	return fixedOptions{s, config}
}

// custom returns the options of custom resources.
func (s storages) custom() generic.RESTOptionsGetter {
	return fixedOptions{s, storagebackend.NewDefaultConfig(s.store.Prefix(), unstructured.UnstructuredJSONScheme)}
}

type nativeOptions struct {
	storages
	factory *serverstorage.DefaultStorageFactory
}

// GetRESTOptions implements [generic.RESTOptionsGetter].
func (o nativeOptions) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	config, err := o.factory.NewConfig(resource, example)
	if err != nil {
		return generic.RESTOptions{}, err
	}
	return o.options(config, o.factory.ResourcePrefix(resource)), nil
}

type fixedOptions struct {
	storages
	config *storagebackend.Config
}

// GetRESTOptions implements [generic.RESTOptionsGetter].
func (o fixedOptions) GetRESTOptions(resource schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	return o.options(o.config.ForResource(resource), resource.Group+"/"+resource.Resource), nil
}

func (s storages) options(config *storagebackend.ConfigForResource, prefix string) generic.RESTOptions {
	return generic.RESTOptions{
		StorageConfig:           config,
		Decorator:               s.open,
		EnableGarbageCollection: true,
		DeleteCollectionWorkers: 1,
		ResourcePrefix:          prefix,
	}
}

// open is a [generic.StorageDecorator]: it opens the storage of one resource.
func (s storages) open(
	config *storagebackend.ConfigForResource,
	resourcePrefix string,
	keyFunc func(obj runtime.Object) (string, error),
	newFunc func() runtime.Object,
	newListFunc func() runtime.Object,
	attrsFunc storage.AttrFunc,
	triggers storage.IndexerFuncs,
	indexers *cache.Indexers,
) (storage.Interface, factory.DestroyFunc, error) {
	client := s.store.Client()
	versioner := storage.APIObjectVersioner{}
	raw, err := etcd3.New(client, nil, config.Codec, newFunc, newListFunc, config.Prefix, resourcePrefix,
		config.GroupResource, identity.NewEncryptCheckTransformer(), config.LeaseManagerConfig,
		etcd3.NewDefaultDecoder(config.Codec, versioner), versioner)
	if err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	closeRaw := func() {
		raw.Close()
		_ = client.Close()
	}
	// A cache costs timers and goroutines even when idle. The built-in resources have
	// few objects, and only this process watches them: they are read from the store.
	if _, custom := newFunc().(*unstructured.Unstructured); !custom {
		return raw, sync.OnceFunc(closeRaw), nil
	}
	cached, err := cacher.NewCacherFromConfig(cacher.Config{
		Storage:             raw,
		Versioner:           versioner,
		GroupResource:       config.GroupResource,
		EventsHistoryWindow: config.EventsHistoryWindow,
		ResourcePrefix:      resourcePrefix,
		KeyFunc:             keyFunc,
		NewFunc:             newFunc,
		NewListFunc:         newListFunc,
		GetAttrsFunc:        attrsFunc,
		IndexerFuncs:        triggers,
		Indexers:            indexers,
		Codec:               config.Codec,
		Clock:               jointClock{},
	})
	if err != nil {
		closeRaw()
		return nil, nil, err
	}
	delegator := cacher.NewCacheDelegator(cached, raw)
	return delegator, sync.OnceFunc(func() {
		delegator.Stop()
		cached.Stop()
		closeRaw()
	}), nil
}

// noProgress is set if a datastore is too old for watchers to rely on its reported
// progress. It is per process.
var noProgress atomic.Bool

// storeFeatures reports the store's features to the API server, which would otherwise
// ask an etcd endpoint.
type storeFeatures struct {
	etcdfeature.FeatureSupportChecker
}

// Supports implements [etcdfeature.FeatureSupportChecker].
func (storeFeatures) Supports(feature storage.Feature) bool {
	return feature == storage.RequestWatchProgress && !noProgress.Load()
}
