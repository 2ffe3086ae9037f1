// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// exposed returns ports of a container that are not published.
func exposed(numbers ...int) []containersv1alpha1.Port {
	var ports []containersv1alpha1.Port
	for _, number := range numbers {
		ports = append(ports, containersv1alpha1.Port{Name: fmt.Sprintf("%d/tcp", number)})
	}
	return ports
}

func span(first, last int) []int {
	var numbers []int
	for number := first; number <= last; number++ {
		numbers = append(numbers, number)
	}
	return numbers
}

// published returns ports that the host has on all addresses, at a distance.
func published(distance int, numbers ...int) []containersv1alpha1.Port {
	ports := exposed(numbers...)
	for i, number := range numbers {
		host := strconv.Itoa(number + distance)
		ports[i].Bindings = []containersv1alpha1.PortBinding{{HostIP: "0.0.0.0", HostPort: host}, {HostIP: "::", HostPort: host}}
	}
	return ports
}

func TestFoldPorts(t *testing.T) {
	t.Parallel()
	both := func(number, protocol string) containersv1alpha1.Port {
		return containersv1alpha1.Port{Name: number + "/" + protocol}
	}
	var mixed []containersv1alpha1.Port
	for _, number := range span(100, 199) {
		mixed = append(mixed, both(strconv.Itoa(number), "tcp"), both(strconv.Itoa(number), "udp"))
	}
	odd := exposed(span(1, 100)...)
	odd[50].Bindings = []containersv1alpha1.PortBinding{{HostIP: "127.0.0.1", HostPort: "51"}}
	elsewhere := published(0, span(1, 100)...)
	elsewhere[99].Bindings[1].HostIP = "::1"
	unbound := published(0, span(1, 100)...)
	unbound[0].Bindings[0].HostPort = ""
	for name, test := range map[string]struct {
		ports []containersv1alpha1.Port
		want  string
	}{
		"64 stay":             {exposed(span(1, 64)...), engine.PortSummary(exposed(span(1, 64)...))},
		"65":                  {exposed(span(1, 65)...), "1-65/tcp"},
		"all":                 {exposed(span(1, 65535)...), "1-65535/tcp"},
		"all published":       {published(0, span(1, 65535)...), "0.0.0.0:1-65535->1-65535/tcp, [::]:1-65535->1-65535/tcp"},
		"at a distance":       {published(1000, span(1, 100)...), "0.0.0.0:1001-1100->1-100/tcp, [::]:1001-1100->1-100/tcp"},
		"two runs":            {exposed(append(span(1, 50), span(52, 100)...)...), "1-50/tcp, 52-100/tcp"},
		"another distance":    {append(published(0, span(1, 50)...), published(1, span(51, 100)...)...), "0.0.0.0:1-50->1-50/tcp, [::]:1-50->1-50/tcp, 0.0.0.0:52-101->51-100/tcp, [::]:52-101->51-100/tcp"},
		"two protocols":       {mixed, "100-199/tcp, 100-199/udp"},
		"one published":       {odd, "1-50/tcp, 127.0.0.1:51->51/tcp, 52-100/tcp"},
		"another address":     {elsewhere, "0.0.0.0:1-99->1-99/tcp, [::]:1-99->1-99/tcp, 0.0.0.0:100->100/tcp, [::1]:100->100/tcp"},
		"no number":           {append(exposed(span(1, 65)...), containersv1alpha1.Port{Name: "x/tcp"}, containersv1alpha1.Port{Name: "066/tcp"}), "1-65/tcp, x/tcp, 066/tcp"},
		"host without number": {unbound, "0.0.0.0:->1/tcp, [::]:1->1/tcp, 0.0.0.0:2-100->2-100/tcp, [::]:2-100->2-100/tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(test.ports)
			folded := foldPorts(test.ports)
			if got := engine.PortSummary(folded); got != test.want {
				t.Errorf("folded: %s\nwant:   %s", got, test.want)
			}
			if !reflect.DeepEqual(before, test.ports) {
				t.Error("the ports themselves were changed")
			}
			if !reflect.DeepEqual(folded, foldPorts(folded)) {
				t.Error("folded twice they are not the same")
			}
		})
	}
}

func container(change func(*containersv1alpha1.ContainerStatus)) *containersv1alpha1.Container {
	c := &containersv1alpha1.Container{Status: containersv1alpha1.ContainerStatus{
		Name: "web", Image: "sha256:1", ImageName: "busybox", Status: containersv1alpha1.PhaseRunning, Labels: map[string]string{"a": "b"},
		Conditions: []metav1.Condition{engine.Condition(containersv1alpha1.ConditionRunning, true, containersv1alpha1.PhaseRunning)},
	}}
	change(&c.Status)
	return c
}

func labels(n, size int) map[string]string {
	labels := map[string]string{}
	for i := range n {
		labels[fmt.Sprintf("label-%05d", i)] = strings.Repeat("x", size)
	}
	return labels
}

func statusJSON(t *testing.T, obj client.Object) string {
	t.Helper()
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return string(fields.Status)
}

func truncated(obj client.Object) *metav1.Condition {
	return apimeta.FindStatusCondition(*conditionsOf(obj), containersv1alpha1.ConditionTruncated)
}

func TestBound(t *testing.T) {
	t.Parallel()
	at := func(year int) *metav1.Time { return &metav1.Time{Time: time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC)} }
	var scattered []int
	for number := 1; number <= 65535; number += 2 {
		scattered = append(scattered, number)
	}
	for name, test := range map[string]struct {
		obj   client.Object
		want  string // what the condition names; empty for no condition
		check func(*testing.T, *containersv1alpha1.ContainerStatus)
	}{
		"small": {obj: container(func(*containersv1alpha1.ContainerStatus) {})},
		"a label of 4 MB": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Labels["big"] = strings.Repeat("é", 2_000_000) }),
			want: "labels (values cut: 1)",
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if big := s.Labels["big"]; !strings.HasSuffix(big, "é…(4000000 bytes)") || len(big) < 30_000 || s.Labels["a"] != "b" {
					t.Errorf("the label has %d bytes and ends with %q; the other one: %q", len(big), big[max(0, len(big)-30):], s.Labels["a"])
				}
			}},
		"2,000 labels of 2 kB": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Labels = labels(2000, 2048) }),
			want: "labels (values cut: 2000, left out: 1902 of 2000)",
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if s.Labels["label-00000"] == "" || s.Labels["label-01999"] != "" {
					t.Error("the labels from the end of their order are to be left out")
				}
			}},
		"100 labels of 1 kB": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Labels = labels(95, 1024) })},
		"a key of 4 MB": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Labels[strings.Repeat("k", 4<<20)] = "v" }),
			want: "labels (left out: 1 of 2)"},
		"all ports exposed": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Ports = exposed(span(1, 65535)...) }),
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if len(s.Ports) != 1 || s.PortSummary != "1-65535/tcp" {
					t.Errorf("%v %s", s.Ports, s.PortSummary)
				}
			}},
		"all ports published": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Ports = published(0, span(1, 65535)...) })},
		"scattered ports": {obj: container(func(s *containersv1alpha1.ContainerStatus) {
			s.Ports = published(0, scattered...)
			s.PortSummary = engine.PortSummary(s.Ports)
		}), want: "ports (left out: ",
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if len(s.Ports) < 500 || s.Ports[0].Name != "1/tcp" || len(s.PortSummary) > 1024 || !strings.HasSuffix(s.PortSummary, " more)") {
					t.Errorf("%d ports, %d bytes of summary, which ends with %q", len(s.Ports), len(s.PortSummary), s.PortSummary[max(0, len(s.PortSummary)-20):])
				}
			}},
		"a port with all bindings": {obj: container(func(s *containersv1alpha1.ContainerStatus) {
			s.Ports = append(exposed(1), exposed(3)...)
			for number := range 65535 {
				s.Ports[0].Bindings = append(s.Ports[0].Bindings, containersv1alpha1.PortBinding{HostIP: "127.0.0.1", HostPort: strconv.Itoa(number)})
			}
		}), want: "ports (left out: 1 of 2)"},
		"year 10000": {obj: container(func(s *containersv1alpha1.ContainerStatus) {
			s.CreatedAt, s.StartedAt, s.FinishedAt = at(10000), at(9999), at(-5)
		}),
			want: "createdAt (not a time that Kubernetes can write); finishedAt (not a time that Kubernetes can write)",
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if s.CreatedAt != nil || s.StartedAt == nil || s.FinishedAt != nil {
					t.Errorf("%v %v %v", s.CreatedAt, s.StartedAt, s.FinishedAt)
				}
			}},
		"year 10000 in UTC only": {obj: container(func(s *containersv1alpha1.ContainerStatus) {
			s.CreatedAt = &metav1.Time{Time: time.Date(9999, 12, 31, 23, 59, 0, 0, time.FixedZone("", -3600))}
		}), want: "createdAt (not a time"},
		"much of everything": {obj: container(func(s *containersv1alpha1.ContainerStatus) {
			long := strings.Repeat("<", 200_000)
			s.Name, s.Image, s.ImageName, s.Path, s.Error, s.Health, s.RestartPolicy, s.ComposeProject = long, long, long, long, long, long, long, long
			s.Labels, s.Args = labels(500, 3000), slices.Repeat([]string{long}, 20)
			s.Pod = &containersv1alpha1.Pod{Name: long, Namespace: long, UID: long}
			for i := range 300 {
				s.Mounts = append(s.Mounts, containersv1alpha1.Mount{Destination: fmt.Sprint("/", i), Source: strings.Repeat("\x01", 900)})
				s.Networks = append(s.Networks, containersv1alpha1.NetworkAttachment{Name: fmt.Sprint("net", i), IPAddress: "10.0.0.1"})
			}
		}), want: "name (cut); image (cut); imageName (cut); path (cut); args (values cut: 20"},
		"not UTF-8": {obj: container(func(s *containersv1alpha1.ContainerStatus) { s.Labels["b"], s.Error = "a\xff", "\xfe" }),
			check: func(t *testing.T, s *containersv1alpha1.ContainerStatus) {
				if s.Labels["b"] != "a\ufffd" || s.Error != "\ufffd" {
					t.Errorf("%q %q", s.Labels["b"], s.Error)
				}
			}},
		"an image":       {obj: &containersv1alpha1.Image{Status: containersv1alpha1.ImageStatus{ID: "sha256:1", RepoDigests: slices.Repeat([]string{strings.Repeat("d", 200)}, 4000)}}, want: "repoDigests (left out: "},
		"a volume":       {obj: &containersv1alpha1.Volume{Status: containersv1alpha1.VolumeStatus{Name: "v", Options: labels(1, 4<<20), Labels: labels(1, 10)}}, want: "options (values cut: 1)"},
		"a namespace":    {obj: &containersv1alpha1.ContainerNamespace{Status: containersv1alpha1.ContainerNamespaceStatus{Name: "n", Labels: labels(1, 4<<20)}}, want: "labels (values cut: 1)"},
		"a plain volume": {obj: &containersv1alpha1.Volume{Status: containersv1alpha1.VolumeStatus{Name: "v"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := test.obj.DeepCopyObject()
			bounded := shallow(test.obj)
			bound(bounded)
			if !reflect.DeepEqual(before, test.obj) {
				t.Error("what the engine returned was changed")
			}
			if text := statusJSON(t, bounded); len(text) > maxStatus || !utf8.ValidString(text) {
				t.Errorf("the status has %d bytes", len(text))
			}
			condition := truncated(bounded)
			switch {
			case test.want == "" && condition != nil:
				t.Errorf("Truncated: %s", condition.Message)
			case test.want != "" && (condition == nil || !strings.Contains(condition.Message, test.want)):
				t.Errorf("Truncated: %+v, want %s", condition, test.want)
			}
			if test.check != nil {
				test.check(t, &bounded.(*containersv1alpha1.Container).Status)
			}
		})
	}
}

// shallow returns a copy that shares arrays and maps, as a mirror does with what the engine returned.
func shallow(obj client.Object) client.Object {
	switch o := obj.(type) {
	case *containersv1alpha1.Container:
		copied := *o
		return &copied
	case *containersv1alpha1.Image:
		copied := *o
		return &copied
	case *containersv1alpha1.Volume:
		copied := *o
		return &copied
	case *containersv1alpha1.ContainerNamespace:
		copied := *o
		return &copied
	}
	return nil
}

// TestTruncatedComesAndGoes: the condition is the engine's object's, and those of others stay.
func TestTruncatedComesAndGoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	others := []metav1.Condition{
		{Type: containersv1alpha1.ConditionSynced, Status: metav1.ConditionFalse}, {Type: containersv1alpha1.ConditionDeleting, Status: metav1.ConditionFalse},
		{Type: containersv1alpha1.ConditionDeletionRefused, Status: metav1.ConditionTrue},
	}
	large := labels(2000, 2048)
	for name, pair := range map[string]struct{ small, large client.Object }{
		"Container": {container(func(*containersv1alpha1.ContainerStatus) {}), container(func(s *containersv1alpha1.ContainerStatus) { s.Labels = large })},
		"Image":     {&containersv1alpha1.Image{}, &containersv1alpha1.Image{Status: containersv1alpha1.ImageStatus{Labels: large}}},
		"Volume":    {&containersv1alpha1.Volume{}, &containersv1alpha1.Volume{Status: containersv1alpha1.VolumeStatus{Labels: large}}},
		"ContainerNamespace": {&containersv1alpha1.ContainerNamespace{}, &containersv1alpha1.ContainerNamespace{
			Status: containersv1alpha1.ContainerNamespaceStatus{Labels: large}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bound(pair.large)
			have := pair.small.DeepCopyObject().(client.Object)
			*conditionsOf(have) = append(*conditionsOf(have), others...)
			have = withStatus(have, pair.large, now)
			if c := truncated(have); c == nil || !c.LastTransitionTime.Time.Equal(now) {
				t.Errorf("Truncated: %+v", c)
			}
			if again := withStatus(have, pair.large, now.Add(time.Hour)); again != nil {
				t.Errorf("a status that did not change would be written: %s", cmp.Diff(have, again))
			}
			have = withStatus(have, pair.small, now)
			if c := truncated(have); c != nil {
				t.Errorf("Truncated stayed: %+v", c)
			}
			for _, other := range others {
				if apimeta.FindStatusCondition(*conditionsOf(have), other.Type) == nil {
					t.Errorf("%s was taken away", other.Type)
				}
			}
		})
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	if err := checkKey(engine.Key{Kind: engine.KindVolume, ID: strings.Repeat("v", maxID)}); err != nil {
		t.Error(err)
	}
	if err := checkKey(engine.Key{Kind: engine.KindVolume, ID: strings.Repeat("v", 1<<20)}); err == nil || len(err.Error()) > 200 {
		t.Errorf("a name of 1 MB: %v", err)
	}
}

// FuzzBound makes statuses of any shape from a seed and sizes.
func FuzzBound(f *testing.F) {
	f.Add(uint64(1), "web", uint32(10), uint32(10), uint16(10))
	f.Add(uint64(2), "<\x00\xff>", uint32(1<<20-1), uint32(1), uint16(2000))
	f.Add(uint64(3), "é\u2028", uint32(2048), uint32(500), uint16(1000))
	f.Add(uint64(4), "", uint32(1), uint32(2500), uint16(64))
	f.Fuzz(func(t *testing.T, seed uint64, unit string, size, entries uint32, ports uint16) {
		obj := anyContainer(rand.New(rand.NewPCG(seed, 0)), unit, int(size%(1<<20)), int(entries%3000), int(ports))
		first, second := shallow(obj), shallow(obj)
		bound(first)
		bound(second)
		text := statusJSON(t, first)
		if len(text) > maxStatus || !utf8.ValidString(text) {
			t.Errorf("the status has %d bytes", len(text))
		}
		if text != statusJSON(t, second) {
			t.Error("bounded twice, it is not the same")
		}
		again := first.DeepCopyObject().(client.Object)
		*conditionsOf(again) = slices.DeleteFunc(*conditionsOf(again), func(c metav1.Condition) bool { return c.Type == containersv1alpha1.ConditionTruncated })
		once := statusJSON(t, again)
		bound(again)
		if twice := statusJSON(t, again); twice != once {
			t.Error("a bounded status was bounded further")
		}
	})
}

func anyContainer(random *rand.Rand, unit string, size, entries, ports int) *containersv1alpha1.Container {
	value := func() string {
		if unit == "" || random.IntN(3) == 0 {
			return strconv.Itoa(random.Int())
		}
		return strings.Repeat(unit, 1+random.IntN(1+size/len(unit))/(1+random.IntN(1+entries)))
	}
	return container(func(s *containersv1alpha1.ContainerStatus) {
		s.Name, s.Image, s.ImageName, s.Path, s.Error, s.Health = value(), value(), value(), value(), value(), value()
		s.PortSummary, s.ComposeProject, s.RestartPolicy = value(), value(), value()
		if random.IntN(2) == 0 {
			s.Pod = &containersv1alpha1.Pod{Name: value(), Namespace: value(), UID: value()}
		}
		s.CreatedAt = &metav1.Time{Time: time.Unix(random.Int64N(1<<40)-1<<39, 0)}
		for range entries {
			switch random.IntN(4) {
			case 0:
				s.Args = append(s.Args, value())
			case 1:
				s.Labels[value()] = value()
			case 2:
				s.Mounts = append(s.Mounts, containersv1alpha1.Mount{Destination: value(), Source: value(), Name: value(), Type: value(), Driver: value(), Mode: value(), ReadOnly: true})
			case 3:
				s.Networks = append(s.Networks, containersv1alpha1.NetworkAttachment{Name: value(), IPAddress: value()})
			}
		}
		for number := range ports {
			if random.IntN(3) > 0 {
				s.Ports = append(s.Ports, published(random.IntN(2), number)...)
			}
		}
	})
}
