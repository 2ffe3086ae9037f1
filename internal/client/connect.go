// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

// New returns a client for the API server that the kubeconfig names. The client needs no
// discovery: its first request is already the caller's.
func New(kubeconfig string) (client.WithWatch, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	// Commands send few requests, and a limiter's error would hide a timeout.
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, coordinationv1.AddToScheme, apiextensionsv1.AddToScheme,
		appv1alpha1.AddToScheme, containersv1alpha1.AddToScheme, limav1alpha1.AddToScheme, rddv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: newMapper()})
}

// newMapper returns a mapper of the kinds that commands use.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(appv1alpha1.GroupVersion.WithKind("App"), meta.RESTScopeRoot)
	mapper.Add(appv1alpha1.GroupVersion.WithKind("Demo"), meta.RESTScopeNamespace)
	for _, kind := range []string{"Container", "ContainerEngine", "ContainerNamespace", "Image", "ImagePullRequest", "Network", "Volume"} {
		mapper.Add(containersv1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(limav1alpha1.GroupVersion.WithKind("LimaVM"), meta.RESTScopeNamespace)
	mapper.Add(rddv1alpha1.GroupVersion.WithKind("HostInfo"), meta.RESTScopeRoot)
	mapper.Add(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), meta.RESTScopeRoot)
	mapper.Add(coordinationv1.SchemeGroupVersion.WithKind("Lease"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Event"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	return mapper
}
