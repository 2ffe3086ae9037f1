// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// TestClockSteps: while the API server runs, the clock is set by any amount in both
// directions, and each new connection finds a certificate that is valid.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	var step atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
	step.Store(int64(3 * 365 * day)) // the clock is ahead at the first start
	e := controlplanetest.StartAt(t, now)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.Identity.CACert)
	dial := func() error {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, Time: now, MinVersion: tls.VersionTLS12}}
		conn, err := dialer.DialContext(t.Context(), "tcp", e.Address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for _, days := range []int{3 * 365, 0, 2 * 365, -400, 48, 0} {
		step.Store(int64(time.Duration(days) * day))
		if err := dial(); err != nil {
			t.Errorf("%d days from now: %v", days, err)
		}
	}
}

// TestTokenOfLater: a token of a service account that was made while the clock was ahead
// is taken when that is right again.
func TestTokenOfLater(t *testing.T) {
	t.Parallel()
	e := controlplanetest.Start(t)
	client, err := kubernetes.NewForConfig(e.Server.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "early"}}
	if _, err := client.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	made, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "early", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, made.Status.Token)
	begin := time.Now().Add(-7 * 24 * time.Hour).Unix()
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := claims[name].(float64); !ok || int64(at) > begin {
			t.Errorf("%s is %s, want a week ago at least", name, fmt.Sprint(claims[name]))
		}
	}
	remote, err := kubernetes.NewForConfig(e.Remote(made.Status.Token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Discovery().ServerGroups(); err != nil {
		t.Errorf("the token is not taken: %v", err)
	}
}

// claimsOf returns what a token says.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
