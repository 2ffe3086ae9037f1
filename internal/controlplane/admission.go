// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	webhookinit "k8s.io/apiserver/pkg/admission/plugin/webhook/initializer"
	mutatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	validatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/kubernetes/pkg/kubeapiserver/admission/exclusion"
)

// newAdmission returns the admission chain of every write: the life cycle of
// namespaces, CEL policies, the hooks of this process, webhooks, and untracked fields.
func newAdmission(c *chain, cfg Config) (admission.Interface, error) {
	plugins := admission.NewPlugins()
	order := []string{
		lifecycle.PluginName,
		untrackedName,
		mutatingpolicy.PluginName,
		hookedName,
		mutatingwebhook.PluginName,
		validatingpolicy.PluginName,
		validatingwebhook.PluginName,
	}
	plugins.Register(lifecycle.PluginName, func(io.Reader) (admission.Interface, error) {
		own := []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic}
		return lifecycle.NewLifecycle(sets.New(append(own, cfg.Lasting...)...))
	})
	untracked{resources: cfg.Untracked}.register(plugins)
	c.hooked.register(plugins)
	mutatingpolicy.Register(plugins)
	mutatingwebhook.Register(plugins)
	validatingpolicy.Register(plugins)
	validatingwebhook.Register(plugins)

	return plugins.NewFromPlugins(order, noPluginConfig{}, admission.PluginInitializers{
		initializer.New(c.schemas, c.dynamic, c.informers, c.auth.authorizer, c.generic.FeatureGate,
			c.generic.EffectiveVersion, c.generic.DrainedNotify(), c.mapper),
		webhookinit.NewPluginInitializer(
			c.asCaller(cfg),
			webhook.NewDefaultServiceResolver(),
		),
		exclusions{},
	}, nil)
}

// noPluginConfig configures no plugin.
type noPluginConfig struct{}

// ConfigFor implements [admission.ConfigProvider].
func (noPluginConfig) ConfigFor(string) (io.Reader, error) { return nil, nil }

// exclusions exempts reviews from policies: they are not objects.
type exclusions struct{}

// Initialize implements [admission.PluginInitializer].
func (exclusions) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(initializer.WantsExcludedAdmissionResources); ok {
		wants.SetExcludedAdmissionResources(exclusion.Excluded())
	}
}
