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

// Headers that tell a handler who the client is, and how it was reached.
const (
	UserHeader   = "X-Remote-User"
	GroupHeader  = "X-Remote-Group"
	PrefixHeader = "X-Forwarded-Prefix"
	ForHeader    = "X-Forwarded-For"
	HostHeader   = "X-Forwarded-Host"
	ProtoHeader  = "X-Forwarded-Proto"
)

// asserted begins the names of the headers in which only the API server may state
// something, in lower case.
var asserted = []string{"x-remote-", "x-forwarded-", "impersonate-", strings.ToLower(tokenHeader)}

// withheld are the names of headers that are the client's own credentials, or that say
// what asserted ones do in other words.
var withheld = []string{"authorization", "forwarded", "x-real-ip", "proxy-authorization"}

// hopByHop are the names of headers for a single connection, besides those that
// Connection names.
var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// isStated reports whether a handler takes a header for one that the API server sets.
// Some servers read X_Remote_User as X-Remote-User.
func isStated(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return slices.Contains(withheld, name) ||
		slices.ContainsFunc(asserted, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// identified returns the request as a handler is to see it: without what the client
// says of itself and of the connection, and then with what the API server knows. In
// this order, as a client may name any header in Connection.
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

// restate copies what [identified] has set from one header to another, from which a
// proxy has removed what it takes for the client's.
func restate(from, to http.Header) {
	maps.DeleteFunc(to, func(name string, _ []string) bool { return isStated(name) })
	for name, values := range from {
		if isStated(name) {
			to[name] = slices.Clone(values)
		}
	}
}

// upgradeOf returns the protocol that a client wants to switch to. HTTP/2 is not one:
// its requests would be seen by no API server.
func upgradeOf(header http.Header) string {
	protocols := header["Upgrade"]
	if len(protocols) != 1 || !httpguts.HeaderValuesContainsToken(header["Connection"], "Upgrade") ||
		httpguts.HeaderValuesContainsToken(protocols, "h2c") || httpguts.HeaderValuesContainsToken(protocols, "h2") {
		return ""
	}
	return protocols[0]
}

// within returns the request with the path that follows the prefix.
func within(req *http.Request, prefix string) *http.Request {
	inner, where := *req, *req.URL
	inner.URL = &where
	where.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(where.Path, prefix), "/")
	if raw, ok := strings.CutPrefix(where.RawPath, prefix); ok {
		where.RawPath = "/" + strings.TrimPrefix(raw, "/")
	} else {
		where.RawPath = "" // nothing but the prefix was encoded, or all of it is encoded anew
	}
	inner.RequestURI = where.RequestURI()
	return &inner
}

// tokenProtocol begins the subprotocol by which browsers send a bearer token
// with a WebSocket, as they can't set headers.
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
