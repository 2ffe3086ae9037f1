// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"reflect"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func FuzzFile(f *testing.F) {
	f.Add([]byte("containers:\n- name: web\n  image: busybox\n  labels: {a: b}\n  ports: [{name: 80/tcp}]\nvolumes:\n- name: data\nimages:\n- repoTag: busybox:latest\nnamespaces: []\n"))
	f.Add([]byte(`{"containers":[{"id":"","name":"","createdAt":"9999-12-31T23:59:59-23:59"}],"images":[{"id":"../x","repoTag":"<none>:<none>"}],"volumes":[{"name":"\u0000"}]}`))
	f.Add([]byte("a: &a [*a]\n---\n{}\n"))
	f.Add([]byte("containers: [{name: a}, {name: a}]\nnamespaces: [{name: ''}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		objects, err := parse(content)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 10*len(content)+1000 {
				t.Errorf("%d bytes make an error of %d", len(content), len(err.Error()))
			}
			return
		}
		again, err := parse(content)
		if err != nil || !reflect.DeepEqual(objects, again) {
			t.Errorf("read again it is another: %v", err)
		}
		for key := range objects {
			if err := engine.CheckKey(key); err != nil {
				t.Errorf("it has the object %+v, of which %v", key, err)
			}
		}
	})
}
