// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzName(f *testing.F) {
	for _, seed := range []string{"2", "a-b", "-a", "a-", "..", "a/b", "A", "a\n", "", "é", strings.Repeat("a", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		if name == "" || filepath.Base(name) != name || strings.ContainsAny(name, "./\\: \n\x00") || strings.HasPrefix(name, "-") {
			t.Errorf("%q is taken for a name", name)
		}
	})
}

// FuzzKubeconfig reads files that another program may have written in place of the
// kubeconfig.
func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte("clusters: [{name: rancher-desktop-2, cluster: {server: 'https://127.0.0.1:6443'}}]\n"))
	f.Add([]byte("clusters: [{name: rancher-desktop-2, cluster: {server: 'https://h:99999999999'}}]\n"))
	f.Add([]byte("clusters: [{name: rancher-desktop-2, cluster: {server: 'https://h:70000'}}]\n"))
	f.Add([]byte("clusters: [{name: rancher-desktop-2}, null]\ncontexts: 7\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		t.Setenv("HOME", t.TempDir())
		i := &Instance{name: "2", dir: t.TempDir()}
		if err := os.MkdirAll(filepath.Dir(i.ConfigFile()), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(i.ConfigFile(), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if port := i.LastPort(); port < 0 || port > 65535 {
			t.Errorf("the port is %d", port)
		}
	})
}
