// SPDX-License-Identifier: Apache-2.0

// Package endpoint parses and builds the addresses of container engines, as in
// spec.endpoint of a ContainerEngine and in DOCKER_HOST:
//
//	unix:///path               a socket of this machine; unix:///C:/path on Windows
//	npipe:////./pipe/name      a named pipe of this machine, which runs Windows
//	tcp://host:port            a port, with the path of the API if there is one
//	ssh://user@host:port/path  a host to log in to; user, port and the socket's path are optional
//	file:///path               a file with the objects of a simulated engine
package endpoint

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Scheme is the kind of an endpoint.
type Scheme string

// The schemes.
const (
	Unix  Scheme = "unix"
	NPipe Scheme = "npipe"
	TCP   Scheme = "tcp"
	SSH   Scheme = "ssh"
	File  Scheme = "file"
)

// Schemes has all of them.
var Schemes = []Scheme{Unix, NPipe, TCP, SSH, File}

const (
	separator  = "://"
	pipePrefix = "//./pipe/"
)

// String returns what an endpoint of the scheme begins with, as in unix://.
func (s Scheme) String() string { return string(s) + separator }

// Endpoint is the address of an engine.
type Endpoint struct {
	Scheme Scheme
	// User is empty for the user that ssh selects.
	User string
	// Host has no brackets if it is an IPv6 address.
	Host string
	// Port is empty if an ssh endpoint has none.
	Port string
	// Path is the file name of a socket or a file, as this system writes it; the name
	// of a pipe, as in //./pipe/name; the path of a socket on the host of an ssh
	// endpoint, empty for the usual one; and the path of the API behind a port.
	Path string
}

// Parse parses an endpoint that has one of the allowed schemes, by default any. The
// error does not repeat the endpoint.
func Parse(text string, allowed ...Scheme) (Endpoint, error) {
	if len(allowed) == 0 {
		allowed = Schemes
	}
	e := Endpoint{Scheme: SchemeOf(text)}
	if !slices.Contains(allowed, e.Scheme) {
		return Endpoint{}, fmt.Errorf("it must begin with %s", oneOf(allowed))
	}
	rest := strings.TrimPrefix(text, e.Scheme.String())
	var err error
	switch e.Scheme {
	case Unix:
		err = e.parseSocket(rest)
	case NPipe:
		e.Path = rest
		if !strings.HasPrefix(rest, "//") || len(rest) == len("//") {
			err = errors.New("it must be npipe:////./pipe/name")
		}
	case TCP:
		err = e.parseTCP(text)
	case SSH:
		err = e.parseSSH(text)
	case File:
		err = e.parseFile(text)
	}
	if err != nil {
		return Endpoint{}, err
	}
	return e, nil
}

// SchemeOf returns the scheme of an endpoint, whether the rest of it is valid or not.
// It is empty if the endpoint has none of [Schemes].
func SchemeOf(text string) Scheme {
	scheme, _, found := strings.Cut(text, separator)
	if !found || !slices.Contains(Schemes, Scheme(scheme)) {
		return ""
	}
	return Scheme(scheme)
}

// ForSocket returns the endpoint of a socket of this machine.
func ForSocket(path string) string {
	return Unix.String() + "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")
}

// ForPipe returns the endpoint of a named pipe of this machine.
func ForPipe(name string) string { return NPipe.String() + pipePrefix + name }

// SocketPath returns the path of the socket that an endpoint names, empty if it names
// no socket of this machine.
func SocketPath(text string) string {
	e, err := Parse(text, Unix)
	if err != nil {
		return ""
	}
	return e.Path
}

// PipeName returns the name of the pipe that an endpoint names, empty if it names no
// pipe of this machine.
func PipeName(text string) string {
	name, _ := strings.CutPrefix(text, ForPipe(""))
	if name == text {
		return ""
	}
	return name
}

// String returns the endpoint as text, which [Parse] parses to the same Endpoint.
func (e Endpoint) String() string {
	switch e.Scheme {
	case Unix:
		return ForSocket(e.Path)
	case NPipe:
		return e.Scheme.String() + e.Path
	case File:
		return e.Scheme.String() + (&url.URL{Path: "/" + strings.TrimPrefix(filepath.ToSlash(e.Path), "/")}).EscapedPath()
	}
	u := url.URL{Scheme: string(e.Scheme), Host: e.Host, Path: e.Path}
	if strings.Contains(e.Host, ":") {
		u.Host = "[" + e.Host + "]"
	}
	if e.Port != "" {
		u.Host = e.Address()
	}
	if e.User != "" {
		u.User = url.User(e.User)
	}
	return u.String()
}

// Local reports whether the engine listens at a socket or a pipe of this machine.
func (e Endpoint) Local() bool { return e.Scheme == Unix || e.Scheme == NPipe }

// Address returns host:port.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, e.Port) }

// parseSocket also accepts unix://C:\path on Windows, which older versions wrote.
func (e *Endpoint) parseSocket(rest string) error {
	if !strings.HasPrefix(rest, "/") && !filepath.IsAbs(rest) {
		return errors.New("the path of the socket must be absolute, as in unix:///path")
	}
	e.Path = localPath(rest)
	return nil
}

func (e *Endpoint) parseTCP(text string) error {
	u, err := parseURL(text)
	switch {
	case err != nil:
		return err
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it must be tcp://host:port")
	case u.Hostname() == "" || u.Port() == "":
		return errors.New("it must be tcp://host:port; Docker's ports are 2375, and 2376 with TLS")
	}
	e.Host, e.Port, e.Path = u.Hostname(), u.Port(), u.Path
	return checkPort(e.Port)
}

// parseSSH refuses what ssh could take for an option, or a shell of its configuration
// (ProxyCommand, Match exec) for a command.
func (e *Endpoint) parseSSH(text string) error {
	u, err := parseURL(text)
	if err != nil {
		return err
	}
	if _, found := u.User.Password(); found {
		return errors.New("a password is not supported: ssh uses keys")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("it must be ssh://user@host:port/path, with no query and no fragment")
	}
	e.User, e.Host, e.Port, e.Path = u.User.Username(), u.Hostname(), u.Port(), u.Path
	if e.Host == "" {
		return errors.New("it names no host: it must be ssh://user@host:port/path")
	}
	for _, part := range []struct{ name, text string }{{"user", e.User}, {"host", e.Host}} {
		if strings.HasPrefix(part.text, "-") {
			return fmt.Errorf("the %s %q must not begin with a dash", part.name, part.text)
		}
		if strings.ContainsFunc(part.text, unsafeInSSH) {
			return fmt.Errorf("the %s %q has characters that no %s has", part.name, part.text, part.name)
		}
	}
	if strings.ContainsFunc(e.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("the path %q has control characters", e.Path)
	}
	if e.Port == "" {
		return nil
	}
	return checkPort(e.Port)
}

func (e *Endpoint) parseFile(text string) error {
	u, err := parseURL(text)
	switch {
	case err != nil:
		return err
	case u.Host != "" || u.User != nil || u.Path == "":
		return errors.New("it must be file:///path")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return errors.New("write a ? in the path as %3F and a # as %23")
	}
	e.Path = filepath.Clean(filepath.FromSlash(localPath(u.Path)))
	return nil
}

// parseURL returns errors without the text, which may have a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if failure := (&url.Error{}); errors.As(err, &failure) {
		return nil, failure.Err
	}
	if err == nil && strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "[") {
		return nil, errors.New("an IPv6 address must be in brackets, as in tcp://[::1]:2375")
	}
	return u, err
}

// localPath removes the slash before the letter of a drive.
func localPath(path string) string {
	if rest, found := strings.CutPrefix(path, "/"); found && filepath.VolumeName(rest) != "" {
		return rest
	}
	return path
}

func checkPort(port string) error {
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("the port %s must be from 1 to 65535", port)
	}
	return nil
}

func unsafeInSSH(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune("'\"`$\\;&<>|(){}*?!", r)
}

// oneOf lists schemes, as in "unix://, tcp:// or ssh://".
func oneOf(schemes []Scheme) string {
	words := make([]string, len(schemes))
	for i, scheme := range schemes {
		words[i] = scheme.String()
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
