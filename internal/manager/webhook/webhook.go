// SPDX-License-Identifier: Apache-2.0

// Package webhook registers the admission webhooks of controllers in another process,
// and serves them.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

const (
	// Path is the prefix of the paths for admission in an external process. A
	// secret follows.
	Path = "/admission/"

	// Timeout bounds a decision.
	Timeout = 5 * time.Second
)

// Registration configures an API server to call an external process for admission.
type Registration struct {
	Client kubernetes.Interface
	// URL of the process for admission, with a final slash. It is a secret.
	URL string
	// CA is the certificate authority of the process, in PEM.
	CA []byte
}

func webhookName(controller manager.Controller) string { return "rdd-" + controller.Name }

// Apply registers the webhooks for the controller's kinds.
func (r Registration) Apply(ctx context.Context, controller manager.Controller) error {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookName(controller)}}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: mutating.ObjectMeta}
	for i, hook := range controller.Hooks {
		rules := rulesFor(hook)
		if hook.Default != nil {
			mutating.Webhooks = append(mutating.Webhooks, admissionregistrationv1.MutatingWebhook{
				Name:                    "default." + hook.Resource.GroupResource().String(),
				ClientConfig:            r.clientConfig(hookPath(controller, i, "default")),
				Rules:                   rules,
				FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
				SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
				TimeoutSeconds:          ptr.To(int32(Timeout / time.Second)),
				AdmissionReviewVersions: []string{"v1"},
			})
		}
		if hook.Validate != nil {
			validating.Webhooks = append(validating.Webhooks, admissionregistrationv1.ValidatingWebhook{
				Name:                    "validate." + hook.Resource.GroupResource().String(),
				ClientConfig:            r.clientConfig(hookPath(controller, i, "validate")),
				Rules:                   rules,
				FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
				SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
				TimeoutSeconds:          ptr.To(int32(Timeout / time.Second)),
				AdmissionReviewVersions: []string{"v1"},
			})
		}
	}
	api := r.Client.AdmissionregistrationV1()
	if len(mutating.Webhooks) > 0 {
		if err := manifest.Replace(ctx, api.MutatingWebhookConfigurations(), mutating); err != nil {
			return fmt.Errorf("register the webhook %s: %w", mutating.Name, err)
		}
	}
	if len(validating.Webhooks) > 0 {
		if err := manifest.Replace(ctx, api.ValidatingWebhookConfigurations(), validating); err != nil {
			return fmt.Errorf("register the webhook %s: %w", validating.Name, err)
		}
	}
	return nil
}

func rulesFor(hook admission.Hook) []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups:   []string{hook.Resource.Group},
			APIVersions: []string{hook.Resource.Version},
			Resources:   []string{hook.Resource.Resource},
		},
	}}
}

func (r Registration) clientConfig(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{URL: ptr.To(r.URL + path), CABundle: r.CA}
}

// Remove removes the webhooks.
func (r Registration) Remove(ctx context.Context, controller manager.Controller) error {
	if len(controller.Hooks) == 0 {
		return nil
	}
	api, name := r.Client.AdmissionregistrationV1(), webhookName(controller)
	for _, remove := range []func(context.Context, string, metav1.DeleteOptions) error{
		api.MutatingWebhookConfigurations().Delete, api.ValidatingWebhookConfigurations().Delete,
	} {
		if err := remove(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove the webhook %s: %w", name, err)
		}
	}
	return nil
}

func hookPath(controller manager.Controller, i int, what string) string {
	return controller.Name + "/" + strconv.Itoa(i) + "/" + what
}

// Serve adds the admission hooks of the controllers to a server, below a path.
func Serve(mux *http.ServeMux, path string, controllers []manager.Controller, reader client.Reader) error {
	for _, controller := range controllers {
		for i, hook := range controller.Hooks {
			for what, decide := range map[string]admission.Decide{"default": hook.Default, "validate": hook.Validate} {
				if decide == nil {
					continue
				}
				handler, err := ctrladmission.StandaloneWebhook(&ctrladmission.Webhook{
					Handler: ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
						return decide(ctx, reader, request)
					}),
				}, ctrladmission.StandaloneOptions{})
				if err != nil {
					return err
				}
				mux.Handle(path+hookPath(controller, i, what), handler)
			}
		}
	}
	return nil
}
