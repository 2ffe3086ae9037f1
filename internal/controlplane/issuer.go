// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"net/http"
	"strconv"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

// installIssuer serves what other programs need to verify service account tokens: the
// issuer's metadata (OpenID Connect Discovery 1.0, section 4) and its keys (RFC 7517).
// The keys are at the API server's own address; the issuer is a name, and stays the
// same when the port changes.
func installIssuer(server *genericapiserver.GenericAPIServer, keys serviceaccount.PublicKeysGetter) error {
	provider, err := serviceaccount.NewOpenIDMetadataProvider(issuer, "", server.ExternalAddress, keys)
	if err != nil {
		return err
	}
	mux := server.Handler.NonGoRestfulMux
	mux.Handle(serviceaccount.OpenIDConfigPath, document("application/json", provider.GetConfigJSON))
	mux.Handle(serviceaccount.JWKSPath, document("application/jwk-set+json", provider.GetKeysetJSON))
	return nil
}

// document serves a document that clients may cache for maxAge seconds.
func document(contentType string, get func() (data []byte, maxAge int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
			return
		}
		data, maxAge := get()
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(maxAge))
		_, _ = w.Write(data)
	})
}
