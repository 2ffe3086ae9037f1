// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
)

// maxStrangers is how many unauthenticated connections the API server keeps. Clients
// with credentials are among them only for milliseconds.
const maxStrangers = 512

// strangers serves unauthenticated clients: health is `ok` or not, whatever they
// request; only authenticated clients learn the server's checks, and which of them
// fail.
func strangers(next http.Handler, authenticated func(address string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, known := request.UserFrom(r.Context())
		switch {
		case isLoopback(r.Context()):
			next.ServeHTTP(w, r)
		case known && who.GetName() != user.Anonymous:
			authenticated(r.RemoteAddr)
			next.ServeHTTP(w, r)
		case r.URL.Path == "/healthz", r.URL.Path == "/livez", r.URL.Path == "/readyz":
			plain := r.Clone(r.Context())
			plain.URL.RawQuery, plain.Form = "", nil
			answer := statusOnly{header: http.Header{}, status: http.StatusOK}
			next.ServeHTTP(&answer, plain)
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			if answer.status == http.StatusOK {
				_, _ = w.Write([]byte("ok"))
				return
			}
			http.Error(w, "not ok", answer.status)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// statusOnly is an [http.ResponseWriter] that keeps the status.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

// asCaller makes the API server present its client certificate to webhooks, by which
// they authenticate it.
func (c *chain) asCaller(cfg Config) webhook.AuthenticationInfoResolverWrapper {
	show := func(config *rest.Config, err error) (*rest.Config, error) {
		if err != nil {
			return nil, err
		}
		config.CertData, config.KeyData = cfg.Identity.Caller.Cert, cfg.Identity.Caller.Key
		return config, nil
	}
	wrap := webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, c.clientConfig, c.generic.TracerProvider)
	return func(anonymous webhook.AuthenticationInfoResolver) webhook.AuthenticationInfoResolver {
		return wrap(&webhook.AuthenticationInfoResolverDelegator{
			ClientConfigForFunc: func(address string) (*rest.Config, error) {
				return show(anonymous.ClientConfigFor(address))
			},
			ClientConfigForServiceFunc: func(name, namespace string, port int) (*rest.Config, error) {
				return show(anonymous.ClientConfigForService(name, namespace, port))
			},
		})
	}
}
