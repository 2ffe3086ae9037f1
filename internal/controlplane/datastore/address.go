// SPDX-License-Identifier: Apache-2.0

package datastore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Address is a datastore's address, as the user gave it: SCHEME://…, usually with a
// password. Whenever it is printed, logged or marshaled, it shows only its scheme and
// hosts; only [Address.Reveal] returns the rest. The zero value is no address.
type Address struct {
	// A pointer, because fmt prints the content of unexported fields without calling
	// their methods.
	text *string
}

// NewAddress returns the address in text, without checking it.
func NewAddress(text string) Address {
	if text == "" {
		return Address{}
	}
	return Address{&text}
}

// Reveal returns the address with its secrets.
func (a Address) Reveal() string {
	if a.text == nil {
		return ""
	}
	return *a.text
}

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.Reveal() == "" }

func (a Address) cut() (scheme, rest string) {
	scheme, rest, found := strings.Cut(a.Reveal(), "://")
	if !found {
		return "", a.Reveal()
	}
	return scheme, rest
}

// Kind returns how the datastore is reached.
func (a Address) Kind() Kind {
	scheme, _ := a.cut()
	return kinds[scheme]
}

// mysqlScheme has addresses that are not URLs: USER:PASSWORD@tcp(HOST:PORT)/DATABASE.
const mysqlScheme = "mysql"

// urls returns the URLs in the address, split as kine splits it.
func (a Address) urls() []string {
	scheme, rest := a.cut()
	switch {
	case scheme == "jetstream":
		return strings.Split(rest, ",")
	case scheme == "nats", a.Kind() == Etcd:
		return strings.Split(a.Reveal(), ",")
	case scheme == "postgres", scheme == "postgresql":
		return []string{a.Reveal()} // a comma separates its hosts
	}
	return nil
}

// Check rejects an address that kine or its drivers don't understand. The error quotes
// no part of it: a misunderstood part may be the password.
func (a Address) Check() error {
	if a.IsZero() {
		return nil
	}
	scheme, rest := a.cut()
	if _, known := kinds[scheme]; !known {
		return fmt.Errorf("the datastore's address must be SCHEME://… with one of the schemes %s", strings.Join(schemes(), ", "))
	}
	if path := a.path(); path != "" && !filepath.IsAbs(path) {
		return fmt.Errorf("the datastore %q must be an absolute path", path)
	}
	if scheme == mysqlScheme {
		if _, err := mysqlHost(rest); err != nil {
			return fmt.Errorf("the datastore's address %s does not parse: %w", a, err)
		}
		return nil
	}
	for _, text := range a.urls() {
		u, err := parseURL(text)
		if err == nil {
			err = a.checkURL(u)
		}
		if err != nil {
			return fmt.Errorf("the datastore's address %s does not parse: %w", a, err)
		}
	}
	return nil
}

// checkURL rejects what the drivers would reject.
func (a Address) checkURL(u *url.URL) error {
	scheme, _ := a.cut()
	switch {
	case scheme == "nats" || scheme == "jetstream":
		if u.Scheme != "nats" {
			return errors.New("each part between commas must begin with nats:// (after jetstream://, the first part too)")
		}
		if u.Host == "" && !u.Query().Has("contextFile") {
			return errors.New("it has no host")
		}
	case a.Kind() == Etcd:
		if kind, known := kinds[u.Scheme]; !known || kind != Etcd {
			return errors.New("each part between commas must begin with http://, https://, unix:// or unixs://")
		}
		if u.Host == "" && (!strings.HasPrefix(u.Scheme, "unix") || u.Path == "") {
			return errors.New("it has no host")
		}
	}
	return nil
}

const escapes = "in a user's name and a password write % as %25, / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, and a comma as %2C"

var errNoURL = errors.New("it is not a URL: " + escapes)

// parseURL is url.Parse without the password in errors. It rejects a URL with a
// password outside of the user part.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	var escape url.EscapeError
	if errors.As(err, &escape) {
		return nil, fmt.Errorf("the %% at character %d does not start an escape: %s", strings.Index(text, string(escape))+1, escapes)
	}
	if err != nil || u.Opaque != "" || strings.Contains(text, "#") || strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return nil, errNoURL
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, errors.New("the part after the question mark does not parse: write % as %25 and ; as %3B there")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the port is not a number from 1 to 65535, or the address is not a URL: " + escapes)
		}
	}
	return u, nil
}

// mysqlHost returns the host of an address of MySQL's driver, without its scheme.
// https://github.com/go-sql-driver/mysql#dsn-data-source-name
func mysqlHost(rest string) (string, error) {
	slash := strings.LastIndexByte(rest, '/')
	if rest == "" {
		return "", nil // its default
	}
	if slash < 0 {
		return "", errors.New("a / is required before the database's name, as in mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE")
	}
	_, params, _ := strings.Cut(rest[slash:], "?")
	if _, err := url.ParseQuery(params); err != nil {
		return "", errors.New("the part after the question mark does not parse: write % as %25 and / as %2F there")
	}
	network, host, found := strings.Cut(mysqlServer(rest), "(")
	if network != "" && network != "tcp" && network != "unix" || found && !strings.HasSuffix(host, ")") {
		return "", errors.New("between the last @ and the / there must be tcp(HOST:PORT) or unix(PATH), " +
			"as in mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE")
	}
	return strings.TrimSuffix(host, ")"), nil
}

// mysqlServer returns the part between the user and the database.
func mysqlServer(rest string) string {
	head := rest[:max(0, strings.LastIndexByte(rest, '/'))]
	return head[strings.LastIndexByte(head, '@')+1:]
}

// path returns the path of a SQLite file; empty for any other datastore. The parameters
// that kine passes to its driver are not supported.
func (a Address) path() string {
	scheme, rest := a.cut()
	if scheme != "sqlite" {
		return ""
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(rest, "file:"), "?")
	return path
}

// String returns the address without secrets: its scheme and its hosts, or its path.
func (a Address) String() string {
	scheme, rest := a.cut()
	if _, known := kinds[scheme]; !known {
		return "…"
	}
	if path := a.path(); path != "" {
		return scheme + "://" + path
	}
	if scheme == mysqlScheme {
		if host, err := mysqlHost(rest); err == nil && host != "" {
			return scheme + "://" + host
		}
		return scheme + "://…"
	}
	var shown []string
	for _, text := range a.urls() {
		u, err := parseURL(text)
		if err == nil {
			err = a.checkURL(u)
		}
		switch {
		case err != nil:
			return scheme + "://…"
		case strings.HasPrefix(u.Scheme, "unix"):
			shown = append(shown, u.Scheme+"://"+u.Host+u.Path)
		default:
			shown = append(shown, u.Scheme+"://"+u.Host)
		}
	}
	if len(shown) == 0 {
		return scheme + "://…"
	}
	return strings.Join(shown, ",")
}

// Format implements [fmt.Formatter], for all verbs, including those that print fields.
func (a Address) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, a.String()) }

// MarshalJSON implements [json.Marshaler]. [Saved] has the secrets too.
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// LogValue implements [slog.LogValuer].
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

func schemes() []string {
	var list []string
	for scheme := range kinds {
		list = append(list, scheme)
	}
	slices.Sort(list)
	return list
}
