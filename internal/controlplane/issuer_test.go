// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"encoding/json"
	"net/http"
	"testing"

	jose "gopkg.in/go-jose/go-jose.v2"
	"gopkg.in/go-jose/go-jose.v2/jwt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// testIssuer checks a service account's token as another program does: by what the API
// server says of the issuer.
func testIssuer(t *testing.T, env *controlplanetest.Env) {
	client := clientset(t, env.Remote())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "verified"}}
	if _, err := client.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	answer, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "verified",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}, ExpirationSeconds: ptr.To[int64](600)}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Any service account may read the documents: here one of another audience.
	own, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "verified", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const configuration, keyset = "/.well-known/openid-configuration", "/openid/v1/jwks"
	for _, path := range []string{configuration, keyset} {
		if code, body := request(t, env, "", path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", path, code, body)
		}
		eventually(t, path+" with a service account's token", func() bool {
			code, _ := request(t, env, own.Status.Token, path, "")
			return code == http.StatusOK
		})
	}
	_, body := request(t, env, own.Status.Token, configuration, "")
	var config struct {
		Issuer     string   `json:"issuer"`
		JWKSURI    string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal([]byte(body), &config); err != nil || config.JWKSURI != "https://"+env.Address+keyset {
		t.Fatalf("%s: %+v, %v", body, config, err)
	}
	_, body = request(t, env, own.Status.Token, keyset, "")
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &keys); err != nil || len(keys.Keys) == 0 {
		t.Fatalf("%s: %v", body, err)
	}
	token, err := jwt.ParseSigned(answer.Status.Token)
	if err != nil {
		t.Fatal(err)
	}
	matching := keys.Key(token.Headers[0].KeyID)
	if len(matching) != 1 || !matching[0].IsPublic() || token.Headers[0].Algorithm != config.Algorithms[0] {
		t.Fatalf("no key %q, or not one for %s: %s", token.Headers[0].KeyID, token.Headers[0].Algorithm, body)
	}
	var claims jwt.Claims
	if err := token.Claims(matching[0].Key, &claims); err != nil {
		t.Fatalf("the signature: %v", err)
	}
	if claims.Issuer != config.Issuer || claims.Subject != "system:serviceaccount:default:verified" || !claims.Audience.Contains("vault") {
		t.Errorf("the claims %+v, of the issuer %s", claims, config.Issuer)
	}
}
