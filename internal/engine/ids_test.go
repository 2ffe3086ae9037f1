// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, test := range []struct {
		key  engine.Key
		fits bool
	}{
		{engine.Key{Kind: engine.KindContainer, ID: "0123abcd"}, true},
		{engine.Key{Kind: engine.KindContainer, Namespace: "k8s.io", ID: "My_c.1"}, true},
		{engine.Key{Kind: engine.KindImage, ID: "sha256:0123"}, true},
		{engine.Key{Kind: engine.KindImage, ID: "registry.example.com:5000/a/b@sha256:0123"}, true},
		{engine.Key{Kind: engine.KindVolume, ID: long}, true},
		{engine.Key{Kind: engine.KindVolume, ID: "Größe..1"}, true},
		{engine.Key{Kind: engine.KindContainer}, false},
		{engine.Key{Kind: engine.KindContainer, ID: long}, false},
		{engine.Key{Kind: engine.KindContainer, ID: "a/b"}, false},
		{engine.Key{Kind: engine.KindContainer, ID: "a\x00b"}, false},
		{engine.Key{Kind: engine.KindContainer, ID: "a\x9bb"}, false},
		{engine.Key{Kind: engine.KindContainer, ID: "a\u009bb"}, false},
		{engine.Key{Kind: engine.KindContainer, Namespace: "a\nb", ID: "c"}, false},
		{engine.Key{Kind: engine.KindContainer, Namespace: "grün", ID: "c"}, false},
		{engine.Key{Kind: engine.KindVolume, ID: strings.Repeat("x", 5000)}, false},
		{engine.Key{Kind: engine.KindVolume, ID: ".."}, false},
		{engine.Key{Kind: engine.KindVolume, ID: "a/../../b"}, false},
		{engine.Key{Kind: engine.KindNamespace}, false},
		{engine.Key{Kind: engine.KindNamespace, ID: "grün"}, false},
	} {
		if err := engine.CheckKey(test.key); (err == nil) != test.fits {
			t.Errorf("%+.80v: %v", test.key, err)
		}
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	items := engine.NewUsable(engine.KindImage)
	for _, item := range []engine.Item{
		{Key: engine.Key{Kind: engine.KindImage, ID: "sha256:1"}, Tags: []string{"a:1"}},
		{Key: engine.Key{Kind: engine.KindImage, ID: "sha256:2"}, Tags: []string{"a\x1b:1"}},
		{Key: engine.Key{Kind: engine.KindImage}},
	} {
		items.Add(item)
	}
	list, err := items.List()
	var partial *engine.PartialError
	if len(list) != 1 || !errors.As(err, &partial) || partial.Unusable != 2 {
		t.Errorf("%d items, error %v", len(list), err)
	}
	if err != nil && !strings.Contains(err.Error(), "2 entries that can't be mirrored, the first of them because a tag of it has control characters") {
		t.Error(err)
	}
}

func TestCheckInfo(t *testing.T) {
	t.Parallel()
	info := engine.Info{ID: "a", HostName: "b\x1b", RootDir: strings.Repeat("x", 5000)}
	if err := info.Check(); err != nil || info.HostName != "" || info.RootDir != "" {
		t.Errorf("%+.80v, error %v", info, err)
	}
	for _, id := range []string{strings.Repeat("x", 5000), "a\nb"} {
		info := engine.Info{ID: id}
		if info.Check() == nil {
			t.Errorf("%.10q is taken for an ID", id)
		}
	}
}
