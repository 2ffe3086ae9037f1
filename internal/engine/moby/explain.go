// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
)

// errSpeaksTLS is the answer of an engine with TLS to a client without.
var errSpeaksTLS = errors.New("Client sent an HTTP request to an HTTPS server") //nolint:staticcheck // Go's own words, net/http/server.go

// carriedError carries an error through the API's client, which would otherwise
// replace its text.
type carriedError struct{ reason error }

// Error implements error.
func (carriedError) Error() string { return "no answer" }

// explainTransport adds the most likely cause to its errors.
type explainTransport struct {
	next    http.RoundTripper
	explain explainer
}

// RoundTrip implements [http.RoundTripper].
func (t explainTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err == nil && isPlainRefusal(response) && strings.Contains(peek(response), errSpeaksTLS.Error()) {
		_ = response.Body.Close()
		err = errSpeaksTLS
	}
	if err == nil {
		return response, nil
	}
	if errors.Is(request.Context().Err(), context.Canceled) {
		return nil, err // which is the caller's doing
	}
	return nil, carriedError{t.explain.error(err)}
}

// isPlainRefusal reports whether Go's TLS server may have sent the answer to a client
// without TLS: it is HTTP 1.0.
func isPlainRefusal(response *http.Response) bool {
	return response.StatusCode == http.StatusBadRequest && !response.ProtoAtLeast(1, 1)
}

// peek returns the first kilobyte of an answer, which stays readable.
func peek(response *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), response.Body), response.Body}
	return string(body)
}

// settingsFrame is how net/http, which has no error value for it, reports an answer that
// begins with SETTINGS, the first frame of a server that speaks only HTTP/2.
var settingsFrame = regexp.MustCompile(`malformed HTTP response "\\x00\\x00(\\x..|\\.|.)\\x04(\\x00){5}`)

// explainer explains errors at an endpoint.
type explainer struct {
	endpoint string
	secret   string // namespace/name; empty for none
}

// error returns err with its most likely cause and the remedy.
func (e explainer) error(err error) error {
	if e.local() && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: %s (%w)", e.endpoint, engine.ErrDenied, e.permitted(), err)
	}
	if settingsFrame.MatchString(err.Error()) {
		return fmt.Errorf("%s: %w: containerd's gRPC instead of Docker's API (%w)", e.endpoint, engine.ErrProtocol, err)
	}
	if meaning := e.meaning(err); meaning != "" {
		return fmt.Errorf("%s: %s (%w)", e.endpoint, meaning, err)
	}
	return fmt.Errorf("%s: %w", e.endpoint, err)
}

func (e explainer) local() bool {
	address, _ := endpoint.Parse(e.endpoint)
	return address.Local()
}

func (e explainer) meaning(err error) string {
	switch {
	case e.local() && errors.Is(err, fs.ErrNotExist):
		return "no such socket: check that the engine runs, and the path"
	case errors.Is(err, errRefused):
		return "connection refused: nothing listens there; check that the engine runs"
	case errors.Is(err, errSpeaksTLS), strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`):
		return "it speaks TLS: name a Secret with its certificates in spec.secretRef"
	case errors.Is(err, context.DeadlineExceeded), timeout(err):
		return "the engine does not answer in time"
	}
	if e.secret == "" {
		return ""
	}
	return e.meaningOfTLS(err)
}

// permitted describes the users that may use a local engine's socket.
func (e explainer) permitted() string {
	if group := access.Group(endpoint.SocketPath(e.endpoint)); group != "" {
		return "it is for members of the group " + group + ", and the user of rdd was not a member at login"
	}
	return "the user of rdd has no permission for it; on Linux most often members of the group docker have"
}

// meaningOfTLS explains errors of a handshake.
func (e explainer) meaningOfTLS(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
		operation *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "the engine's certificate is signed by an authority that ca.crt of the Secret " + e.secret +
			" does not have; without ca.crt the system's authorities are used"
	case errors.As(err, &name):
		return "the engine's certificate is for another host"
	case errors.As(err, &invalid):
		return "the engine's certificate is not valid"
	case errors.As(err, &header):
		return "it does not speak TLS: remove spec.secretRef, or configure the engine to use TLS"
	case errors.As(err, &operation) && operation.Op == "remote error":
		return "the engine refuses the client's certificate, or requires one: tls.crt and tls.key of the Secret " + e.secret +
			" must be signed by an authority that the engine trusts"
	}
	return ""
}

func timeout(err error) bool {
	var failure net.Error
	return errors.As(err, &failure) && failure.Timeout()
}
