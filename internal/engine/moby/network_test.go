// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestNetworkStatus: engines describe networks in these ways.
func TestNetworkStatus(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want containersv1alpha1.NetworkStatus
	}{
		"of both families": {
			`{"Name":"my_net","Id":"n1","Created":"2026-01-02T03:04:05.678901234Z","Scope":"local","Driver":"bridge","EnableIPv4":true,"EnableIPv6":true,
			  "IPAM":{"Driver":"default","Options":null,"Config":[{"Subnet":"fd00::/64","Gateway":"fd00::1"},{"Subnet":"10.1.0.0/16","IPRange":"10.1.5.0/24","Gateway":"10.1.0.1","AuxiliaryAddresses":{"a":"10.1.0.9"}}]},
			  "Internal":true,"Attachable":true,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{"c":{"Name":"web"}},"Options":{"com.docker.network.driver.mtu":"1400"},"Labels":{"a":"b"}}`,
			containersv1alpha1.NetworkStatus{ID: "n1", Name: "my_net", Driver: "bridge", Scope: "local", Internal: true, IPv6: true, Attachable: true,
				Subnets:   []containersv1alpha1.Subnet{{Subnet: "10.1.0.0/16", Gateway: "10.1.0.1"}, {Subnet: "fd00::/64", Gateway: "fd00::1"}},
				Labels:    map[string]string{"a": "b"},
				Options:   map[string]string{"com.docker.network.driver.mtu": "1400"},
				CreatedAt: &metav1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		},
		"without addresses": {
			`{"Name":"none","Id":"n2","Created":"0001-01-01T00:00:00Z","Scope":"local","Driver":"null","IPAM":{"Driver":"default","Options":null,"Config":null},"Containers":{},"Options":{},"Labels":{}}`,
			containersv1alpha1.NetworkStatus{ID: "n2", Name: "none", Driver: "null", Scope: "local"},
		},
		"Podman's default network": {
			`{"Name":"podman","Id":"2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9","Created":"2026-11-30T07:58:41.760484487Z","Scope":"local","Driver":"bridge","IPAM":{"Driver":"default","Options":{"driver":"host-local"},"Config":[{"Subnet":"10.88.0.0/16","Gateway":"10.88.0.1"}]}}`,
			containersv1alpha1.NetworkStatus{ID: podmanNetwork, Name: "bridge", Driver: "bridge", Scope: "local", Subnets: []containersv1alpha1.Subnet{{Subnet: "10.88.0.0/16", Gateway: "10.88.0.1"}}},
		},
		"an address that is none": {
			`{"Name":"odd","Id":"n3","Created":"soon","IPAM":{"Config":[{"Subnet":"everywhere","Gateway":"10.0.0.1/8"},{"Subnet":"10.0.0.0/8"}]},"Containers":[7]}`,
			containersv1alpha1.NetworkStatus{ID: "n3", Name: "odd", Subnets: []containersv1alpha1.Subnet{{Subnet: "10.0.0.0/8"}, {Subnet: "everywhere", Gateway: "10.0.0.1/8"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var view networkView
			if err := json.Unmarshal([]byte(test.text), &view); err != nil {
				t.Fatal(err)
			}
			test.want.Namespace = Namespace
			status := networkStatus(&view)
			if !reflect.DeepEqual(*status, test.want) {
				t.Errorf("%+v, want %+v", *status, test.want)
			}
			item := networkItem(&view)
			if !item.Current(engine.Object{Network: status}, time.Now()) || item.Current(engine.Object{}, time.Now()) {
				t.Error("a list shows something else than an inspection")
			}
			for n, change := range []func(*containersv1alpha1.NetworkStatus){
				func(s *containersv1alpha1.NetworkStatus) { s.Name += "x" },
				func(s *containersv1alpha1.NetworkStatus) { s.Subnets = append(s.Subnets, containersv1alpha1.Subnet{}) },
				func(s *containersv1alpha1.NetworkStatus) { s.Labels = map[string]string{"a": "c"} },
				func(s *containersv1alpha1.NetworkStatus) { s.Internal = !s.Internal },
			} {
				other := status.DeepCopy()
				change(other)
				if item.Current(engine.Object{Network: other}, time.Now()) {
					t.Errorf("change %d is not seen", n)
				}
			}
		})
	}
}

// TestNetworkEvents: an event of a network is about the network, or about the container
// that it connects.
func TestNetworkEvents(t *testing.T) {
	of := func(kind engine.Kind, id string) engine.Key { return engine.Key{Kind: kind, ID: id} }
	for name, test := range map[string]struct {
		text   string
		want   engine.Key
		gone   bool
		ignore bool
	}{
		"create":              {`{"Type":"network","Action":"create","Actor":{"ID":"n","Attributes":{"name":"x","type":"bridge"}}}`, of(engine.KindNetwork, "n"), false, false},
		"destroy":             {`{"Type":"network","Action":"destroy","Actor":{"ID":"n","Attributes":{"name":"x","type":"bridge"}}}`, of(engine.KindNetwork, "n"), true, false},
		"remove":              {`{"Type":"network","Action":"remove","Actor":{"ID":"n"}}`, of(engine.KindNetwork, "n"), true, false},
		"update":              {`{"Type":"network","Action":"update","Actor":{"ID":"n"}}`, of(engine.KindNetwork, "n"), false, false},
		"connect":             {`{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{"container":"c","name":"x"}}}`, of(engine.KindContainer, "c"), false, false},
		"disconnect":          {`{"Type":"network","Action":"disconnect","Actor":{"ID":"n","Attributes":{"container":"c"}}}`, of(engine.KindContainer, "c"), false, false},
		"prune":               {`{"Type":"network","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"0"}}}`, engine.Key{}, false, true},
		"create without ID":   {`{"Type":"network","Action":"create","Actor":{"ID":""}}`, engine.Key{}, false, true},
		"create with a slash": {`{"Type":"network","Action":"create","Actor":{"ID":"a/../b"}}`, engine.Key{}, false, true},
	} {
		event, ok := decodeEvent(json.RawMessage(test.text), func(events.Message) {})
		if ok == test.ignore || ok && (event.Key != test.want || event.Gone != test.gone || event.All) {
			t.Errorf("%s: %+v, %t", name, event, ok)
		}
	}
	if event, ok := decodeEvent(json.RawMessage(`{"Type":"network","Actor":7}`), func(events.Message) {}); !ok || event.Key.Kind != "" || event.Lost == nil {
		t.Errorf("one that can't be read: %+v, %t; want all kinds compared, as containers have networks", event, ok)
	}
}

// TestNetworkNotFound: only an engine that says so has no such network.
func TestNetworkNotFound(t *testing.T) {
	for words, want := range map[string]bool{
		"network 123abc not found": true,
		"unable to find network with name or ID 123abc: network not found": true,
		"page not found": false,
		"the network is down; the host is not found": false,
	} {
		err := translate(fmt.Errorf("%w: %s", cerrdefs.ErrNotFound, words))
		if got := errors.Is(err, engine.ErrNotFound); got != want {
			t.Errorf("%q: not found %t, want %t", words, got, want)
		}
	}
}
