// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/volume"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// stored checks that what is made of an engine's answer is the same after a way
// through the API server: else it would be written again and again.
func stored[T any](t *testing.T, status *T) {
	t.Helper()
	bounded := *status
	withoutLateTimes(reflect.ValueOf(&bounded).Elem())
	text, err := json.Marshal(bounded)
	if err != nil {
		t.Fatalf("it can't be written: %v", err)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("it can't be read again: %v: %s", err, text)
	}
	if !apiequality.Semantic.DeepEqual(bounded, back) {
		t.Fatalf("it is another when it is read again:\n%+v\n%+v", bounded, back)
	}
}

// withoutLateTimes takes the times away that the mirror does.
func withoutLateTimes(status reflect.Value) {
	for i := range status.NumField() {
		if moment, ok := status.Field(i).Interface().(*metav1.Time); ok && moment != nil && moment.Year() > 9999 {
			status.Field(i).SetZero()
		}
	}
}

func FuzzInspectContainer(f *testing.F) {
	f.Add([]byte(`{"Id":"a","Created":"2026-01-01T00:00:00.123456789Z","Name":"/web","Image":"sha256:1","Path":"sh","Args":["-c"],` +
		`"State":{"Status":"running","Running":true,"Pid":1,"ExitCode":0,"StartedAt":"2026-01-01T00:00:00Z","FinishedAt":"0001-01-01T00:00:00Z","Health":{"Status":"healthy"}},` +
		`"RestartCount":1,"Mounts":[{"Type":"volume","Name":"v","Destination":"/d","RW":true}],"HostConfig":{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}},` +
		`"Config":{"Image":"web","Labels":{"com.docker.compose.project":"p"},"ExposedPorts":{"80/tcp":{},"8000-8010/udp":{}}},` +
		`"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]},"Networks":{"bridge":{"IPAddress":"172.17.0.2"},"none":null}}}`))
	f.Add([]byte(`{"Created":"10000-01-01T00:00:00Z","State":{"Status":"x","Pid":-9223372036854775808,"ExitCode":9223372036854775807,"StartedAt":"9999-12-31T23:59:59-23:59"}}`))
	f.Add([]byte(`{"Config":null,"HostConfig":null,"State":null,"NetworkSettings":{"Networks":{"":null}},"Mounts":[{},{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c container.InspectResponse
		if json.Unmarshal(data, &c) != nil {
			t.Skip()
		}
		status := containerStatus(&c)
		stored(t, status)
		for i, port := range status.Ports {
			if port.Name == "" {
				t.Error("a port without a name")
			}
			if i > 0 && port.Name == status.Ports[i-1].Name {
				t.Errorf("port %q is there twice", port.Name)
			}
		}
		if !apiequality.Semantic.DeepEqual(status, containerStatus(&c)) {
			t.Error("the same container makes another status")
		}
	})
}

func FuzzInspectImage(f *testing.F) {
	f.Add([]byte(`{"Id":"sha256:1","RepoTags":["b:1","a:1","<none>:<none>"],"RepoDigests":["a@sha256:2"],"Created":"2026-01-01T00:00:00Z","Os":"linux","Architecture":"amd64","Size":7,"Config":{"Labels":{"a":"b"}}}`))
	f.Add([]byte(`{"Id":"","RepoTags":["","a@b"],"Created":"-001-01-01T00:00:00Z","Size":-1,"Manifests":[{"Size":{"Total":9223372036854775807}},{"Size":{"Total":9223372036854775807}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var i image.InspectResponse
		if json.Unmarshal(data, &i) != nil {
			t.Skip()
		}
		statuses := imageStatuses(&i)
		if len(statuses) == 0 {
			t.Fatal("no status")
		}
		seen := map[string]bool{}
		for n := range statuses {
			stored(t, &statuses[n])
			if seen[statuses[n].RepoTag] {
				t.Errorf("tag %q is there twice", statuses[n].RepoTag)
			}
			seen[statuses[n].RepoTag] = true
			if statuses[n].RepoTag == "" && len(statuses) > 1 {
				t.Error("an empty tag beside others")
			}
		}
	})
}

func FuzzInspectVolume(f *testing.F) {
	f.Add([]byte(`{"Name":"data","Driver":"local","Mountpoint":"/var","Scope":"local","CreatedAt":"2026-01-01T00:00:00+01:00","Labels":{"a":"b"},"Options":null}`))
	f.Add([]byte(`{"Name":"","CreatedAt":"0000-01-01T00:00:00+23:59","Labels":{"":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v volume.Volume
		if json.Unmarshal(data, &v) != nil {
			t.Skip()
		}
		stored(t, volumeStatus(&v))
	})
}

func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"Type":"container","Action":"start","Actor":{"ID":"a"},"time":1,"timeNano":1000000000}`,
		`{"Type":"container","Action":"commit","Actor":{"ID":"a","Attributes":{"imageID":"sha256:1"}}}`,
		`{"Type":"image","Action":"untag","Actor":{"ID":"0123456789012345678901234567890123456789012345678901234567890123"}}`,
		`{"Type":"volume","Action":"prune","Actor":{"ID":""}}`, `{"Type":"volume","Action":"create","Actor":{"Attributes":{"name":"v"}}}`,
		`{"Type":"network","Action":"connect","Actor":{"Attributes":{"container":"a"}},"timeNano":-9223372036854775808}`,
		`{"Type":"container","Action":"die","Actor":{"ID":""}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		event, ok := decodeEvent(data, func(events.Message) {})
		if !ok || event.Lost != nil {
			return
		}
		var m events.Message
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatalf("it was read, and can't be: %v", err)
		}
		if err := engine.CheckKey(event.Key); err != nil && (event.Key.ID != "" || m.Action != events.ActionPrune) {
			t.Errorf("the event %s of a %s has a key of which %v", m.Action, m.Type, err)
		}
	})
}

func FuzzPullMessages(f *testing.F) {
	f.Add([]byte(`{"status":"Pulling fs layer","id":"a"}{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":2}}` +
		`{"status":"Extracting","id":"a","progressDetail":{"current":2,"total":2}}{"status":"Pull complete","id":"a"}`))
	f.Add([]byte(`{"status":"Downloading","id":"","progressDetail":{"current":9223372036854775807,"total":1}}` +
		`{"status":"Downloading","id":"b","progressDetail":{"current":-9223372036854775808,"total":9223372036854775807}}` +
		`{"status":"Downloading","id":"c","progressDetail":{"current":1,"total":9223372036854775807}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var pulled layers
		percent := int32(0)
		for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
			var message jsonstream.Message
			if decoder.Decode(&message) != nil {
				return
			}
			if !pulled.add(message) {
				continue
			}
			p := pulled.progress()
			checkProgress(t, p, percent)
			percent = p.Percent
		}
	})
}

func checkProgress(t *testing.T, p containersv1alpha1.PullProgress, before int32) {
	t.Helper()
	if p.Percent < before || p.Percent > 99 {
		t.Errorf("%d%% after %d%%", p.Percent, before)
	}
	if p.CurrentBytes < 0 || p.TotalBytes < 0 || p.CurrentBytes > p.TotalBytes {
		t.Errorf("%d of %d bytes", p.CurrentBytes, p.TotalBytes)
	}
	for _, layer := range p.Layers {
		if layer.CurrentBytes < 0 || layer.CurrentBytes > layer.TotalBytes {
			t.Errorf("layer %q: %d of %d bytes", layer.ID, layer.CurrentBytes, layer.TotalBytes)
		}
	}
}

func FuzzDemultiplex(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x02hi\x02\x00\x00\x00\x00\x00\x00\x03ho\n"))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xffhi"))
	f.Add([]byte("\x03\x00\x00\x00\x00\x00\x00\x02hi\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var stdout, stderr bytes.Buffer
		err := demultiplex(&stdout, &stderr, bytes.NewReader(data))
		if stdout.Len()+stderr.Len() > len(data) {
			t.Errorf("%d bytes make %d", len(data), stdout.Len()+stderr.Len())
		}
		var all bytes.Buffer
		if whole := demultiplex(&all, &all, iotest.OneByteReader(bytes.NewReader(data))); (whole == nil) != (err == nil) {
			t.Errorf("byte for byte it ends with %v, otherwise with %v", whole, err)
		}
		if all.Len() != stdout.Len()+stderr.Len() {
			t.Errorf("byte for byte it has %d bytes, otherwise %d", all.Len(), stdout.Len()+stderr.Len())
		}
	})
}

func FuzzReferences(f *testing.F) {
	f.Add("b:1\na:1\n<none>:<none>\na@sha256:1\na:1")
	f.Add("\n\n@")
	f.Fuzz(func(t *testing.T, lines string) {
		sorted := tags(strings.Split(lines, "\n"))
		if !slices.IsSorted(sorted) || len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
			t.Errorf("%q is not sorted, or has the same twice", sorted)
		}
		if slices.Contains(sorted, noTag) || slices.Contains(sorted, "") || slices.ContainsFunc(sorted, func(s string) bool { return strings.Contains(s, "@") }) {
			t.Errorf("%q has what is no tag", sorted)
		}
	})
}

func FuzzEndpoint(f *testing.F) {
	for _, seed := range []string{
		"unix:///var/run/docker.sock", "tcp://host:2375/base", "tcp://[::1]:2376", "npipe:////./pipe/docker_engine", "ssh://user@host:22/run/docker.sock",
		"ssh://-oProxyCommand=x@host", "ssh://user@-host", "tcp://:0", "tcp://host:99999", "unix://", "x", "ssh://u@h/%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := newRoute(Config{Endpoint: text})
		if err != nil {
			return
		}
		defer r.close()
		address := parsed(t, text) // a route needs a valid one
		if address.Scheme != endpoint.SSH {
			return
		}
		dialer, err := newSSHDialer(address)
		if err != nil {
			return
		}
		if strings.HasPrefix(dialer.target, "-") || strings.ContainsAny(dialer.target, " \n\x00'\"`$\\;&|") {
			t.Errorf("ssh would be given the target %q", dialer.target)
		}
		for _, arg := range dialer.args {
			if strings.ContainsAny(arg, "\x00\n\r") {
				t.Errorf("ssh would be given the argument %q", arg)
			}
		}
	})
}

func FuzzStatusText(f *testing.F) {
	for _, seed := range []string{"Up 2 minutes (Paused)", "Up 3 seconds (health: starting)", "Exited (137) 4 hours ago", "Created", "Exited (-1) 292 years ago", ""} {
		f.Add(seed, int64(1700000000), int32(137))
	}
	f.Fuzz(func(_ *testing.T, text string, seconds int64, code int32) {
		moment := parseTime(time.Unix(seconds, 0).UTC().Format(time.RFC3339Nano))
		known := &containersv1alpha1.ContainerStatus{ExitCode: code, StartedAt: moment, FinishedAt: moment}
		_ = statusTextFits(text, known, time.Unix(1700000000, 0))
	})
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59.9-23:59", "0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "0001-12-31T23:59:59-23:59", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed := parseTime(text)
		if parsed == nil {
			return
		}
		status := &containersv1alpha1.VolumeStatus{CreatedAt: parsed}
		stored(t, status)
		if !utf8.ValidString(parsed.String()) {
			t.Error("no text")
		}
	})
}
