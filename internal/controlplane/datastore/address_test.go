// SPDX-License-Identifier: Apache-2.0

package datastore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// secret is a password whose parts are in no other word, with what breaks addresses.
const secret = "hun%zz/t3r?qux#foo@bar"

// TestUnparsableAddressIsRefused: whatever part of a password breaks the address, it is
// refused and none of it is repeated.
func TestUnparsableAddressIsRefused(t *testing.T) {
	parts := []string{"hun", "zz", "t3r", "qux", "foo", "2379z"}
	for _, address := range []string{
		"postgres://u:hun%zzt3r@h/d",
		"postgresql://u:hun/t3r@h/d",
		"postgres://u:12/t3r@h/d",
		"postgres://u:12?t3r@h/d",
		"postgres://u:12#t3r@h/d",
		"postgres://u:foo@t3r/qux@h/d",
		"postgres://u:hun[t3r@h/d",
		"postgres://u:" + secret + "@h/d",
		"postgres://h:99999hun/d",
		"postgres://h/d?password=%zz",
		"mysql://u:hunt3r@h:3306/d",
		"mysql://u:hunt3r@tcp(h:3306",
		"mysql://u:hunt3r@tcp(h:3306/d",
		"mysql://u:hunt3r@pipe(h)/d",
		"mysql://hunt3r",
		"mysql://u:hunt3r/d",
		"nats://u:hun%zz@h",
		"nats://u:hun,t3r@h",
		"nats://u:foo@h,qux@h",
		"nats://?credsFile=/foo",
		"jetstream://u:hunt3r@h",
		"http://u:hun%zz@h:2379",
		"http://u:hunt3r@h:2379,postgres://u:hunt3r@h",
		"https://h:2379z",
		"https://",
		"unix://",
		"u:hunt3r@h/d",
		"hunt3r://u:qux@h",
		"t4://hunt3r",
	} {
		a := NewAddress(address)
		err := a.Check()
		if err == nil {
			t.Errorf("%s is taken", address)
			continue
		}
		for _, part := range parts {
			if shown := fmt.Sprint(err, a); strings.Contains(shown, part) {
				t.Errorf("%s: %q is in %s", address, part, shown)
			}
		}
	}
}

func TestAddressesOfAllDrivers(t *testing.T) {
	for address, shown := range map[string]string{
		"postgres://": "postgres://",
		"postgres://u:p%25w@h1:1,h2:2/d?sslmode=off": "postgres://h1:1,h2:2",
		"postgres:///d?host=/var/run/postgresql":     "postgres://",
		"mysql://":                                   "mysql://…",
		"mysql://u:p/w@x:%zz@tcp(h:3306)/d":          "mysql://h:3306",
		"mysql://u:p@unix(/run/mysqld.sock)/d?x=y":   "mysql:///run/mysqld.sock",
		"mysql://u:p@/d":                             "mysql://…",
		"nats://token@h:4222,nats://h2:4222":         "nats://h:4222,nats://h2:4222",
		"nats://?contextFile=/etc/x":                 "nats://",
		"jetstream://nats://u:p@h":                   "nats://h",
		"http://u:p@h:2379,http://h2:2379":           "http://h:2379,http://h2:2379",
		"unix:///run/etcd.sock":                      "unix:///run/etcd.sock",
		"memory://":                                  "memory://…",
		"sqlite:///var/x.db?_x=y":                    "sqlite:///var/x.db",
	} {
		a := NewAddress(address)
		if err := a.Check(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if got := a.String(); got != shown {
			t.Errorf("%s is shown as %s, want %s", address, got, shown)
		}
	}
}

// TestAddressNeverShowsItsPassword: by no way of printing, logging or marshalling.
func TestAddressNeverShowsItsPassword(t *testing.T) {
	type hiding struct{ inner Endpoint }
	e := Endpoint{Address: NewAddress("postgres://u:hunt3r2@h/d?sslpassword=hunt3r2")}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, e, &e, e.Address, hiding{e})
	}
	fmt.Fprintln(&out, fmt.Errorf("open %w", fmt.Errorf("%v", hiding{e})))
	data, err := json.Marshal(map[string]any{"e": e, "a": e.Address})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "e", e, "a", e.Address, "h", hiding{e})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "e", e, "a", e.Address, "h", hiding{e})
	if strings.Contains(out.String(), "hunt3r2") || strings.Contains(out.String(), fmt.Sprintf("%x", "hunt3r2")) {
		t.Errorf("the password is in %s", out.String())
	}
	if got := e.Save().Endpoint().Address.Reveal(); got != e.Address.Reveal() {
		t.Errorf("saved and read: %s", got)
	}
}

// TestScrub: what drivers say has no secret in any form in which they write it.
func TestScrub(t *testing.T) {
	for _, address := range []string{
		"postgres://u:" + url.QueryEscape(secret) + "@h/d",
		"postgres://h/d?user=u&password=" + url.QueryEscape(secret),
		"mysql://u:" + secret + "@tcp(h)/d",
		"nats://" + url.QueryEscape(secret) + "@h",
		"nats://h,nats://u:" + url.QueryEscape(secret) + "@h2",
		"https://u:" + url.QueryEscape(secret) + "@h",
	} {
		a := NewAddress(address)
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(address, "://")
		text := fmt.Sprintf("panic: no %s, no %s: %s %s %s (%s) in database d", address, rest,
			secret, url.QueryEscape(secret), url.UserPassword("u", secret), url.PathEscape(secret))
		clean := a.Scrub(text)
		for _, part := range []string{"hun", "t3r", "qux", "foo"} {
			if strings.Contains(clean, part) {
				t.Errorf("%s: %q is in %s", address, part, clean)
			}
		}
		if !strings.HasSuffix(clean, "in database d") {
			t.Errorf("too much is hidden: %s", clean)
		}
		err := a.ScrubError(fmt.Errorf("%s: %w", text, io.ErrUnexpectedEOF))
		if err.Error() != a.Scrub(text)+": unexpected EOF" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the error %v", err)
		}
	}
	if got := NewAddress("http://h:1").Scrub("http://h:1 fails"); got != "http://h:1 fails" {
		t.Errorf("without a secret: %s", got)
	}
}

// TestScrubber: a secret in two writes is hidden, too.
func TestScrubber(t *testing.T) {
	var out bytes.Buffer
	w := NewAddress("postgres://u:hunt3r2@h/d").NewScrubber(&out)
	for _, text := range []string{"goroutine hun", "t3r2\nlast hunt3r2", "\n"} {
		if n, err := io.WriteString(w, text); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := out.String(); got != "goroutine …\nlast …\n" {
		t.Errorf("%q", got)
	}
}
