// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestPodmanEvents has events as Podman 4.3 sends them, and Docker's of the
// same.
func TestPodmanEvents(t *testing.T) {
	hex := strings.Repeat("0a", sha256Digits/2)
	for name, test := range map[string]struct {
		message string
		want    engine.Key
		gone    bool
		ignored bool
	}{
		"volume":                {`{"Type":"volume","Action":"remove","Actor":{"ID":"","Attributes":{"name":"v"}}}`, engine.Key{Kind: engine.KindVolume, ID: "v"}, true, false},
		"Docker's volume":       {`{"Type":"volume","Action":"destroy","Actor":{"ID":"v","Attributes":{"driver":"local"}}}`, engine.Key{Kind: engine.KindVolume, ID: "v"}, true, false},
		"volume without a name": {`{"Type":"volume","Action":"remove","Actor":{"ID":""}}`, engine.Key{}, false, true},
		"untagged image":        {`{"Type":"image","Action":"delete","Actor":{"ID":"` + hex + `","Attributes":{"name":"one:1"}}}`, engine.Key{Kind: engine.KindImage, ID: "sha256:" + hex}, false, false},
		"tagged image":          {`{"Type":"image","Action":"tag","Actor":{"ID":"` + hex + `"}}`, engine.Key{Kind: engine.KindImage, ID: "sha256:" + hex}, false, false},
		"Docker's deleted":      {`{"Type":"image","Action":"delete","Actor":{"ID":"sha256:` + hex + `"}}`, engine.Key{Kind: engine.KindImage, ID: "sha256:" + hex}, true, false},
		"a reference":           {`{"Type":"image","Action":"pull","Actor":{"ID":"busybox:latest"}}`, engine.Key{Kind: engine.KindImage, ID: "busybox:latest"}, false, false},
		"network goes":          {`{"Type":"container","Action":"cleanup","Actor":{"ID":"c"}}`, engine.Key{Kind: engine.KindContainer, ID: "c"}, false, false},
		"network":               {`{"Type":"network","Action":"connect","Actor":{"ID":"c","Attributes":{"name":"web","podId":""}}}`, engine.Key{Kind: engine.KindContainer, ID: "c"}, false, false},
		"Docker's network":      {`{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{"container":"c","name":"net"}}}`, engine.Key{Kind: engine.KindContainer, ID: "c"}, false, false},
		"Docker's new network":  {`{"Type":"network","Action":"create","Actor":{"ID":"n","Attributes":{"name":"net"}}}`, engine.Key{Kind: engine.KindNetwork, ID: "n"}, false, false},
		"removed container":     {`{"Type":"container","Action":"remove","Actor":{"ID":"c"}}`, engine.Key{Kind: engine.KindContainer, ID: "c"}, true, false},
		"mount":                 {`{"Type":"container","Action":"mount","Actor":{"ID":"c"}}`, engine.Key{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var message events.Message
			if err := json.Unmarshal([]byte(test.message), &message); err != nil {
				t.Fatal(err)
			}
			event, ok := convertEvent(message)
			if ok == test.ignored || ok && (event.Key != test.want || event.Gone != test.gone) {
				t.Errorf("%+v, %v; want %+v, gone %v, ignored %v", event, ok, test.want, test.gone, test.ignored)
			}
		})
	}
}

// TestIdentity: Podman is the same as long as its machine and its storage are.
func TestIdentity(t *testing.T) {
	read := func(answer string) string {
		var i info
		if err := json.Unmarshal([]byte(answer), &i); err != nil {
			t.Fatal(err)
		}
		return i.identity()
	}
	podman := read(`{"ID":"1","Name":"m","DockerRootDir":"/s","BuildahVersion":"1.28.2"}`)
	for answer, same := range map[string]bool{
		`{"ID":"2","Name":"m","DockerRootDir":"/s","BuildahVersion":"1.29.0"}`:     true,
		`{"ID":"1","Name":"other","DockerRootDir":"/s","BuildahVersion":"1.28.2"}`: false,
		`{"ID":"1","Name":"m","DockerRootDir":"/other","BuildahVersion":"1.28.2"}`: false,
		`{"ID":"1","Name":"m","DockerRootDir":"/s"}`:                               false,
	} {
		if got := read(answer); (got == podman) != same {
			t.Errorf("%s is %q, beside %q", answer, got, podman)
		}
	}
	if got := read(`{"ID":"AB:CD","Name":"m","DockerRootDir":"/s"}`); got != "AB:CD" {
		t.Errorf("Docker's ID is %q", got)
	}
}

// TestPhases: a state that the definition of Container does not allow would be
// refused for ever.
func TestPhases(t *testing.T) {
	for state, want := range map[container.ContainerState]containersv1alpha1.Phase{
		"created": containersv1alpha1.PhaseCreated, "running": containersv1alpha1.PhaseRunning, "paused": containersv1alpha1.PhasePaused,
		"configured": containersv1alpha1.PhaseCreated, "initialized": containersv1alpha1.PhaseCreated,
		"stopping": containersv1alpha1.PhaseRunning, "stopped": containersv1alpha1.PhaseExited, "unknown": "",
		"dead": containersv1alpha1.PhaseDead, "hibernating": "", "": "",
	} {
		if got := phase(state); got != want {
			t.Errorf("%s is %q, want %q", state, got, want)
		}
	}
}
