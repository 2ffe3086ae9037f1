// SPDX-License-Identifier: Apache-2.0

package standalone

import (
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// scrapers serves a handler to clients with a bearer token that the API server
// authorizes to read the path.
type scrapers struct {
	client  kubernetes.Interface
	handler http.Handler
	log     func(message string, err error)
}

// ServeHTTP implements [http.Handler].
func (s scrapers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token = strings.TrimSpace(token); !isBearer || token == "" || r.Method != http.MethodGet {
		refuse(w, r)
		return
	}
	who, err := s.client.AuthenticationV1().TokenReviews().Create(r.Context(),
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		s.unavailable(w, "authenticate a client", err)
		return
	}
	if !who.Status.Authenticated {
		refuse(w, r)
		return
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.Status.User.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := s.client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Status.User.Username, UID: who.Status.User.UID, Groups: who.Status.User.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: "get"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.unavailable(w, "authorize a client", err)
		return
	}
	if !review.Status.Allowed {
		passthrough.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, "the token's user may not get "+r.URL.Path)
		return
	}
	s.handler.ServeHTTP(w, r)
}

func (s scrapers) unavailable(w http.ResponseWriter, what string, err error) {
	s.log(what, err)
	passthrough.Refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the API server did not "+what+": try again later")
}
