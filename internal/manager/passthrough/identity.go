// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// Headers with the client's identity and route, for handlers.
const (
	UserHeader   = "X-Remote-User"
	GroupHeader  = "X-Remote-Group"
	PrefixHeader = "X-Forwarded-Prefix"
	ForHeader    = "X-Forwarded-For"
	HostHeader   = "X-Forwarded-Host"
	ProtoHeader  = "X-Forwarded-Proto"
)

// asserted are the prefixes, in lower case, of the headers that only the API server may
// set.
var asserted = []string{"x-remote-", "x-forwarded-", "impersonate-", strings.ToLower(tokenHeader)}

// withheld are the headers with the client's own credentials, and other forms of
// asserted ones.
var withheld = []string{"authorization", "forwarded", "x-real-ip", "proxy-authorization"}

// hopByHop are the headers for a single connection, in addition to those that
// Connection names.
var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// isStated reports whether a handler may take a header for one that the API server
// sets. Some servers read X_Remote_User as X-Remote-User.
func isStated(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return slices.Contains(withheld, name) ||
		slices.ContainsFunc(asserted, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// identified returns the request for a handler: it removes the client's own statements
// about itself and the connection, and then adds the API server's. The order matters,
// because a client may name any header in Connection.
func identified(req *http.Request, prefix string) *http.Request {
	out := req.Clone(req.Context())
	out.Trailer = nil
	upgrade := upgradeOf(req.Header)
	for _, value := range req.Header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			out.Header.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hopByHop {
		out.Header.Del(name)
	}
	maps.DeleteFunc(out.Header, func(name string, _ []string) bool { return isStated(name) })
	out.Header["Sec-Websocket-Protocol"] = withoutToken(out.Header.Values("Sec-Websocket-Protocol"))
	if len(out.Header["Sec-Websocket-Protocol"]) == 0 {
		out.Header.Del("Sec-Websocket-Protocol")
	}
	if upgrade != "" {
		out.Header.Set("Connection", "Upgrade")
		out.Header.Set("Upgrade", upgrade)
	}
	if user, ok := request.UserFrom(req.Context()); ok {
		out.Header.Set(UserHeader, user.GetName())
		out.Header[GroupHeader] = slices.Clone(user.GetGroups())
	}
	out.Header.Set(PrefixHeader, prefix)
	out.Header.Set(HostHeader, req.Host)
	out.Header.Set(ProtoHeader, "https")
	if address, _, err := net.SplitHostPort(req.RemoteAddr); err == nil {
		out.Header.Set(ForHeader, address)
	}
	return out
}

// restate copies the headers of [identified] to a request from which a proxy has
// removed them as the client's.
func restate(from, to http.Header) {
	maps.DeleteFunc(to, func(name string, _ []string) bool { return isStated(name) })
	for name, values := range from {
		if isStated(name) {
			to[name] = slices.Clone(values)
		}
	}
}

// upgradeOf returns the protocol that a client requests an upgrade to. HTTP/2 is not
// allowed: no API server would check its requests.
func upgradeOf(header http.Header) string {
	protocols := header["Upgrade"]
	if len(protocols) != 1 || !httpguts.HeaderValuesContainsToken(header["Connection"], "Upgrade") ||
		httpguts.HeaderValuesContainsToken(protocols, "h2c") || httpguts.HeaderValuesContainsToken(protocols, "h2") {
		return ""
	}
	return protocols[0]
}

// within returns the request with the path after the prefix.
func within(req *http.Request, prefix string) *http.Request {
	inner, where := *req, *req.URL
	inner.URL = &where
	where.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(where.Path, prefix), "/")
	if raw, ok := strings.CutPrefix(where.RawPath, prefix); ok {
		where.RawPath = "/" + strings.TrimPrefix(raw, "/")
	} else {
		where.RawPath = "" // only the prefix was encoded, or the whole path is encoded again
	}
	inner.RequestURI = where.RequestURI()
	return &inner
}

// tokenProtocol is the prefix of the subprotocol in which browsers send a bearer token
// with a WebSocket, because they can't set headers.
const tokenProtocol = "base64url.bearer.authorization.k8s.io." //nolint:gosec // a name, no token

func withoutToken(values []string) []string {
	var kept []string
	for _, value := range values {
		for protocol := range strings.SplitSeq(value, ",") {
			if protocol = strings.TrimSpace(protocol); !strings.HasPrefix(protocol, tokenProtocol) {
				kept = append(kept, protocol)
			}
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, ", ")}
}
