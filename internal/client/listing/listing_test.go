// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func meta(name, engine string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "ns", Labels: map[string]string{containersv1alpha1.EngineLabel: engine}}
}

func ago(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }

func containers() *containersv1alpha1.ContainerList {
	return &containersv1alpha1.ContainerList{Items: []containersv1alpha1.Container{
		{ObjectMeta: meta("aaaaaaaaaaaaaaaa", "one"), Status: containersv1alpha1.ContainerStatus{
			Name: "old", ImageName: "busybox", Status: containersv1alpha1.PhaseExited, ExitCode: 3, CreatedAt: ago(2 * time.Hour)}},
		{ObjectMeta: meta("cccccccccccccccc", "two"), Status: containersv1alpha1.ContainerStatus{
			Name: "new", Status: containersv1alpha1.PhaseCreated}},
		{ObjectMeta: meta("aaaabbbbbbbbbbbb", "one"), Status: containersv1alpha1.ContainerStatus{
			Name: "new", ImageName: "web", Status: containersv1alpha1.PhaseRunning, Health: "healthy", PortSummary: "0.0.0.0:80->80/tcp", CreatedAt: ago(time.Minute)}},
	}}
}

func images() *containersv1alpha1.ImageList {
	return &containersv1alpha1.ImageList{Items: []containersv1alpha1.Image{
		{ObjectMeta: meta("img-1", "one"), Status: containersv1alpha1.ImageStatus{ID: "sha256:0123456789abcdef", Size: 1_234_567}},
		{ObjectMeta: meta("img-2", "one"), Status: containersv1alpha1.ImageStatus{
			ID: "sha256:fedcba9876543210", RepoTag: "localhost:5000/team/app:v1", Size: 42_000_000, CreatedAt: ago(48 * time.Hour)}},
	}}
}

func TestTables(t *testing.T) {
	for name, test := range map[string]struct {
		table Table
		list  client.ObjectList
		want  string
	}{
		"containers": {Containers(), containers(), `
CONTAINER ID   NAME   IMAGE     STATUS              PORTS                ENGINE   AGE
aaaabbbbbbbb   new    web       running (healthy)   0.0.0.0:80->80/tcp   ns/one   60s
aaaaaaaaaaaa   old    busybox   exited (3)                               ns/one   120m
cccccccccccc   new              created                                  ns/two   <none>
`},
		"images": {Images(), images(), `
REPOSITORY                TAG      IMAGE ID       SIZE     ENGINE   AGE
localhost:5000/team/app   v1       fedcba987654   42MB     ns/one   2d
<none>                    <none>   0123456789ab   1.23MB   ns/one   <none>
`},
		"volumes": {Volumes(), &containersv1alpha1.VolumeList{}, `
NAME   DRIVER   MOUNTPOINT   ENGINE   AGE
`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.table.sort(test.list); err != nil {
				t.Fatal(err)
			}
			l := Lister{Clock: clocktesting.NewFakeClock(now)}
			var out strings.Builder
			if err := l.write(&out, test.table, test.list); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOne(t *testing.T) {
	all := containers().Items
	var twins []containersv1alpha1.Container
	for i, namespace := range []string{"default", "second"} {
		c := *all[0].DeepCopy()
		c.Name, c.Annotations, c.Status.Namespace = fmt.Sprint("ctr-", i+1), map[string]string{containersv1alpha1.IDAnnotation: "twin"}, namespace
		c.Labels = map[string]string{containersv1alpha1.EngineLabel: "one"}
		twins = append(twins, c)
	}
	for want, found := range map[string][]containersv1alpha1.Container{
		"":                                       all[:1],
		`no container with name or ID "x" found`: nil,
		`: aaaabbbbbbbb of ns/one, cccccccccccc of ns/two`:                      all[1:],
		`: twin in default of ns/one (ctr-1), twin in second of ns/one (ctr-2)`: twins,
	} {
		got, err := one("x", found)
		switch {
		case want == "":
			if err != nil || got.Name != found[0].Name {
				t.Errorf("%v %v", got, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%v, want %s", err, want)
		}
	}
}
