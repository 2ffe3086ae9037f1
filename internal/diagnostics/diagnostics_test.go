// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// TestEachCodeHasItsPage: the documentation has a heading for each code, in the
// words of the registry, and for nothing else.
func TestEachCodeHasItsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, want []string
	for _, heading := range regexp.MustCompile("(?m)^## `([a-z-]+)`\n\n\\*\\*(.*)\\*\\* \\((.*)\\)").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, heading[1]+": "+heading[2]+", "+heading[3])
	}
	for _, d := range Known() {
		want = append(want, string(d.Code)+": "+d.Title+", "+string(d.Severity))
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("registry -, docs/troubleshooting.md +:\n%s", diff)
	}
	if headings := strings.Count(string(page), "\n## `"); headings != len(want) {
		t.Errorf("%d headings of codes, and %d codes", headings, len(want))
	}
}

func TestEventReasons(t *testing.T) {
	for code, want := range map[Code]string{SocketNotPermitted.Code: "SocketNotPermitted", NoKVM.Code: "NoKVM", EngineShared.Code: "EngineShared"} {
		if got := code.Event(); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0.0 MiB", 100 << 10: "0.1 MiB", 12 << 20: "12 MiB", 1 << 30: "1.0 GiB", 250 << 30: "250 GiB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func appOf(running bool, endpoint string, settled ...metav1.Condition) *appv1alpha1.App {
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: appv1alpha1.AppName, UID: "app"}}
	app.Spec.Running, app.Spec.ContainerEngine.Endpoint = running, endpoint
	app.Status.Conditions = settled
	return app
}

func unsettled(since time.Duration, reason string) metav1.Condition {
	return metav1.Condition{Type: appv1alpha1.ConditionSettled, Status: metav1.ConditionFalse, Reason: reason, Message: "words",
		LastTransitionTime: metav1.NewTime(noon.Add(-since))}
}

func condition(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: "words"}
}

// engineOf returns a ContainerEngine of the App. All are equally old, and count in
// the order of their names then.
func engineOf(namespace, name, reason, message, id string) containersv1alpha1.ContainerEngine {
	e := containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name),
		OwnerReferences: []metav1.OwnerReference{{UID: "app", Controller: ptr.To(true)}}}}
	e.Spec.Endpoint = "unix:///run/e.sock"
	e.Status.EngineID = id
	state := metav1.ConditionFalse
	if reason == containersv1alpha1.ReasonConnected {
		state = metav1.ConditionTrue
	}
	e.Status.Conditions = []metav1.Condition{{Type: containersv1alpha1.ConditionReady, Status: state, Reason: reason, Message: message}}
	return e
}

func hostOf(limactl string, kvm bool) *rddv1alpha1.HostInfoStatus {
	return &rddv1alpha1.HostInfoStatus{CPUs: 2,
		Limactl:        rddv1alpha1.Limactl{Version: limactl, Message: "none in PATH"},
		Virtualization: rddv1alpha1.Virtualization{Available: kvm, Reason: "no /dev/kvm"},
		Engines:        []rddv1alpha1.Engine{{Type: rddv1alpha1.EngineMoby, Endpoint: "unix:///no"}, {Type: rddv1alpha1.EngineMoby, Endpoint: "unix:///yes", Accessible: true}},
	}
}

// TestDiagnose: what follows from what, and which words and commands are in it.
func TestDiagnose(t *testing.T) {
	const (
		failed    = containersv1alpha1.ReasonConnectFailed
		denied    = containersv1alpha1.ReasonPermissionDenied
		connected = containersv1alpha1.ReasonConnected
		socket    = "unix:///run/e.sock"
	)
	type engines = []containersv1alpha1.ContainerEngine
	stopped := engineOf("a", "moby", failed, "refused", "")
	stopped.Spec.Running = ptr.To(false)
	settled := func(generation int64) *appv1alpha1.App {
		app := appOf(true, socket, metav1.Condition{Type: appv1alpha1.ConditionSettled, Status: metav1.ConditionTrue})
		app.Generation, app.Status.DockerContext, app.Status.DockerSocket = generation, "rd-2", socket
		return app
	}
	contexts := func(host, current string, chosen bool) *Contexts {
		return &Contexts{Host: host, Current: current, Chosen: chosen}
	}
	incomplete := engineOf("a", "moby", connected, "", "1")
	incomplete.Status.Conditions = append(incomplete.Status.Conditions, condition(containersv1alpha1.ConditionComplete, containersv1alpha1.ReasonListFailed))
	unwritten := settled(0)
	unwritten.Status.DockerContextError = "config.json is read-only"
	found := map[Code]bool{} // in all cases
	for name, c := range map[string]struct {
		observed Observed
		want     []string // code and subject
		words    []string // of the first
	}{
		"nothing is known": {},
		"all is well": {observed: Observed{App: settled(0), Engines: engines{engineOf("a", "moby", connected, "", "1")}, Host: hostOf("2", true),
			Contexts: contexts(socket, "rd-2", true), Disk: &Disk{Free: 50 * gibibyte, Total: 100 * gibibyte}, Store: &Store{Size: mebibyte},
			Daemon: &Daemon{PID: 1, Version: "1", Program: "1"}}},
		"no answer": {observed: Observed{Engines: engines{engineOf("a", "moby", failed, "connection refused", "")}},
			want: []string{"engine-not-answering ContainerEngine a/moby"}, words: []string{"connection refused", "`docker -H " + socket + " version`"}},
		"words that only look like a refusal": {observed: Observed{Engines: engines{engineOf("a", "moby", failed, "permission denied by a proxy", "")}},
			want: []string{"engine-not-answering ContainerEngine a/moby"}},
		"another kind of engine": {observed: Observed{App: appOf(true, socket), Engines: engines{engineOf("a", "moby", containersv1alpha1.ReasonWrongProtocol, "gRPC", "")}},
			want: []string{"engine-wrong-protocol ContainerEngine a/moby"}, words: []string{"`rdd set containerEngine.name=containerd`"}},
		"a broken stream": {observed: Observed{Engines: engines{engineOf("a", "moby", containersv1alpha1.ReasonDisconnected, "EOF", "1")}},
			want: []string{"engine-not-answering ContainerEngine a/moby"}},
		"a stopped engine": {observed: Observed{Engines: engines{stopped}}},
		"the socket hides the silence": {observed: Observed{Groups: map[string]string{socket: "docker"},
			Engines: engines{engineOf("a", "moby", denied, "permission denied: it is for docker", ""), engineOf("b", "moby", failed, "refused", "")}},
			want:  []string{"socket-not-permitted ContainerEngine a/moby", "engine-not-answering ContainerEngine b/moby"},
			words: []string{"`sudo usermod -aG docker $USER`", "log out and in again"}},
		"no group to join": {observed: Observed{Engines: engines{engineOf("a", "moby", denied, "permission denied", "")}},
			want: []string{"socket-not-permitted ContainerEngine a/moby"}, words: []string{"`ls -l /run/e.sock`"}},
		"another engine answers": {observed: Observed{Engines: engines{engineOf("a", "moby", containersv1alpha1.ReasonEngineChanged, "is B", "A")}},
			want: []string{"engine-changed ContainerEngine a/moby"}, words: []string{"is B", "`rdd stop` and `rdd start`"}},
		"a conflict": {observed: Observed{Engines: engines{engineOf("a", "a", connected, "", "1"), engineOf("a", "b", containersv1alpha1.ReasonConflict, "a mirrors it", "1")}},
			want: []string{"engine-conflict ContainerEngine a/b"}, words: []string{"a mirrors it", "delete containerengine -n a b`"}},
		"one engine by two names": {observed: Observed{Engines: engines{engineOf("a", "b", connected, "", "1"), engineOf("a", "a", connected, "", "1")}},
			want: []string{"engine-conflict ContainerEngine a/b"}, words: []string{"ContainerEngine a/a is the same engine (1)"}},
		"unsupported": {observed: Observed{Engines: engines{engineOf("a", "moby", containersv1alpha1.ReasonUnsupported, "no such type", "")}},
			want: []string{"engine-unsupported ContainerEngine a/moby"}},
		"one engine in two namespaces": {observed: Observed{Engines: engines{engineOf("a", "moby", connected, "", "1"), engineOf("b", "moby", connected, "", "1")}},
			want: []string{"engine-shared ContainerEngine b/moby"}, words: []string{"ContainerEngine a/moby mirrors the same engine (1)"}},
		"engines without an identity": {observed: Observed{Engines: engines{engineOf("a", "moby", connected, "", ""), engineOf("b", "moby", connected, "", "")}}},
		"no limactl, and it is wanted": {observed: Observed{App: appOf(true, ""), Host: hostOf("", true)},
			want: []string{"limactl-missing App app"}, words: []string{"none in PATH", "`rdd set containerEngine.endpoint=unix:///yes`"}},
		"no KVM, and it is wanted": {observed: Observed{App: appOf(true, ""), Host: hostOf("2", false)},
			want: []string{"no-kvm App app"}, words: []string{"no /dev/kvm", "unix:///yes"}},
		"no KVM, and it runs all the same": {observed: Observed{App: appOf(true, "",
			metav1.Condition{Type: appv1alpha1.ConditionRunning, Status: metav1.ConditionTrue}), Host: hostOf("2", false)}},
		"neither": {observed: Observed{App: appOf(true, "", unsettled(time.Hour, "CreateFailed")), Host: hostOf("", false)},
			want: []string{"limactl-missing App app", "no-kvm App app"}},
		"neither, and it is not wanted": {observed: Observed{App: appOf(true, socket), Host: hostOf("", false)}},
		"neither, and it is to stop":    {observed: Observed{App: appOf(false, ""), Host: hostOf("", false)}},
		"neither, and there is no App":  {observed: Observed{Host: hostOf("", false)}},
		"not looked at yet":             {observed: Observed{App: appOf(true, ""), Host: &rddv1alpha1.HostInfoStatus{}}},
		"settling":                      {observed: Observed{App: appOf(true, socket, unsettled(time.Minute, "WaitingForEngine"))}},
		"a machine that fails, and so its engine": {observed: Observed{Host: hostOf("2", true),
			App:     appOf(true, "", condition(appv1alpha1.ConditionRunning, "CrashLoop"), unsettled(time.Hour, "CrashLoop")),
			Engines: engines{engineOf("a", "moby", failed, "refused", "")}},
			want: []string{"vm-failed App app"}, words: []string{"CrashLoop: words", "`rdd limavm log rd`"}},
		"a machine that can't be made": {observed: Observed{Host: hostOf("2", true), App: appOf(true, "",
			condition(appv1alpha1.ConditionCreated, "CreateFailed"), condition(appv1alpha1.ConditionRunning, "StartFailed"))},
			want: []string{"vm-failed App app"}, words: []string{"CreateFailed: words"}},
		"a machine that can't be made without limactl": {observed: Observed{Host: hostOf("", true), App: appOf(true, "", condition(appv1alpha1.ConditionCreated, "CreateFailed"))},
			want: []string{"limactl-missing App app"}},
		"a machine that runs in part": {observed: Observed{Host: hostOf("2", true), App: appOf(true, "", condition(appv1alpha1.ConditionRunning, "Degraded"))},
			want: []string{"vm-degraded App app"}, words: []string{"words"}},
		"a machine that starts, and so no engine": {observed: Observed{Host: hostOf("2", true), App: appOf(true, "", condition(appv1alpha1.ConditionRunning, "Starting")),
			Engines: engines{engineOf("a", "moby", containersv1alpha1.ReasonDisconnected, "EOF", "1")}}},
		"no engine in a machine that runs": {observed: Observed{Host: hostOf("2", true),
			App:     appOf(true, "", metav1.Condition{Type: appv1alpha1.ConditionRunning, Status: metav1.ConditionTrue, Reason: "Started"}),
			Engines: engines{engineOf("a", "moby", failed, "refused", "")}},
			want: []string{"engine-not-answering ContainerEngine a/moby"}, words: []string{"`rdd shell sudo systemctl status docker`"}},
		"settling for long": {observed: Observed{App: appOf(true, socket, unsettled(time.Hour, "WaitingForEngine"))},
			want: []string{"app-not-settled App app"}, words: []string{"WaitingForEngine: words"}},
		"stalled": {observed: Observed{App: appOf(true, socket, unsettled(time.Second, "TemplateRejected"),
			metav1.Condition{Type: appv1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "TemplateRejected"})},
			want: []string{"app-not-settled App app"}, words: []string{"TemplateRejected: words"}},
		"settling for a moment, whatever the reason": {observed: Observed{App: appOf(true, socket, unsettled(time.Second, "TemplateRejected"))}},
		"settling for long, with a cause": {observed: Observed{App: appOf(true, socket, unsettled(time.Hour, failed)),
			Engines: engines{engineOf("a", "moby", denied, "permission denied", "")}},
			want: []string{"socket-not-permitted ContainerEngine a/moby"}},
		"a context at another engine": {observed: Observed{App: settled(0), Contexts: contexts("unix:///other", "rd-2", true)},
			want: []string{"context-taken-over App app"}, words: []string{"is for unix:///other", "`docker context update rd-2 --docker host=" + socket + "`"}},
		"a context that is gone": {observed: Observed{App: settled(0), Contexts: contexts("", "default", true)},
			want: []string{"context-taken-over App app"}, words: []string{"removed it", "`rdd stop` and `rdd start`"}},
		"another context is current": {observed: Observed{App: settled(0), Contexts: contexts(socket, "other", true)},
			want: []string{"context-taken-over App app"}, words: []string{"`docker context use rd-2`"}},
		"another context was current":   {observed: Observed{App: settled(0), Contexts: contexts(socket, "other", false)}},
		"a context that is being moved": {observed: Observed{App: settled(1), Contexts: contexts("unix:///other", "rd-2", true)}},
		"no context yet":                {observed: Observed{App: appOf(true, socket), Contexts: &Contexts{Current: "default"}}},
		"a read-only disk": {observed: Observed{Disk: &Disk{Path: "/d", Free: 1, Total: 2 * gibibyte, ReadOnly: true}},
			want: []string{"disk-read-only HostInfo system"}},
		"a disk below 1 GiB": {observed: Observed{Disk: &Disk{Path: "/d", Free: gibibyte - 1, Total: 2 * gibibyte}},
			want: []string{"disk-nearly-full HostInfo system"}, words: []string{"of 2.0 GiB", "/d"}},
		"a disk below 5 %":      {observed: Observed{Disk: &Disk{Free: 4 * gibibyte, Total: 100 * gibibyte}}, want: []string{"disk-nearly-full HostInfo system"}},
		"a huge disk below 5 %": {observed: Observed{Disk: &Disk{Free: 100 * gibibyte, Total: 4000 * gibibyte}}},
		"a large store": {observed: Observed{Command: "rdd --instance x", Store: &Store{Path: "/s", Size: 300 * mebibyte}},
			want: []string{"store-large HostInfo system"}, words: []string{"/s has 300 MiB", "`rdd --instance x service reset`"}},
		"a daemon that hangs, of another version": {
			observed: Observed{Daemon: &Daemon{Instance: "2", PID: 12, Version: "1", Program: "2", Failure: errors.New("no answer within 1s")}},
			want:     []string{"daemon-not-answering Service 2", "daemon-other-version Service 2"},
			words:    []string{"process 12", "no answer within 1s", "`rdd service stop --timeout 30s`"}},
		"a daemon that crashed": {observed: Observed{Daemon: &Daemon{Instance: "2", Ended: "fatal error: all is lost"}},
			want: []string{"daemon-ended Service 2"}, words: []string{"fatal error: all is lost", "`rdd service start`"}},
		"an engine that lacks something": {observed: Observed{Engines: engines{incomplete}},
			want: []string{"engine-incomplete ContainerEngine a/moby"}, words: []string{"words"}},
		"deletions": {observed: Observed{Deletions: []Deletion{
			{Subject: Subject{Kind: "Volume", Namespace: "a", Name: "v"}, What: "volume v", Words: "busy"},
			{Subject: Subject{Kind: "Image", Namespace: "a", Name: "i"}, What: "image i", Words: "in use", Refused: true}}},
			want: []string{"deletion-failed Volume a/v", "deletion-refused Image a/i"}, words: []string{"volume v: busy"}},
		"a controller that is gone, as the store is full": {observed: Observed{Unwritable: "disk full", Absent: []liveness.Absence{{Controller: "engine"}}},
			want: []string{"store-not-writable Service "}, words: []string{"disk full"}},
		"a controller that is gone": {observed: Observed{Absent: []liveness.Absence{{Controller: "engine"}}},
			want: []string{"controller-gone Controller engine"}, words: []string{"`containers-controller`"}},
		"a context that can't be written": {observed: Observed{App: unwritten},
			want: []string{"context-failed App app"}, words: []string{"read-only"}},
		"the worst first": {observed: Observed{Store: &Store{Size: gibibyte}, Disk: &Disk{Total: 1}, App: appOf(true, ""), Host: hostOf("", true),
			Engines: engines{engineOf("a", "moby", connected, "", "1"), engineOf("b", "moby", connected, "", "1")}},
			want: []string{"limactl-missing App app", "disk-nearly-full HostInfo system", "store-large HostInfo system", "engine-shared ContainerEngine b/moby"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.observed.Now = noon
			all := Known().Diagnose(c.observed)
			var got []string
			for _, f := range all {
				found[f.Code] = true
				got = append(got, string(f.Code)+" "+f.Subject.String())
				if text := f.Message + f.Remedy; strings.Contains(text, "{") || f.Title == "" || strings.Count(f.Remedy, "`")%2 != 0 {
					t.Errorf("the text is not filled in: %+v", f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatalf("want -, got +:\n%s", diff)
			}
			for _, word := range c.words {
				if !strings.Contains(all[0].Message+"\n"+all[0].Remedy, word) {
					t.Errorf("it does not say %q: %s\n%s", word, all[0].Message, all[0].Remedy)
				}
			}
		})
	}
	for _, d := range Known() {
		if !found[d.Code] {
			t.Errorf("no case has %s", d.Code)
		}
	}
}

// TestReporter: an Event when something appears, becomes something else, or is
// over, and none else.
func TestReporter(t *testing.T) {
	recorder := record.NewFakeRecorder(10)
	r := NewReporter(recorder, AppEvents)
	report := func(o Observed, want ...string) {
		t.Helper()
		app, host := appOf(true, ""), &rddv1alpha1.HostInfo{}
		host.Name = rddv1alpha1.HostInfoName
		r.Report(Known().Diagnose(o), app, host)
		checkEvents(t, recorder, want...)
	}
	report(Observed{})
	host := hostOf("", true)
	app := appOf(true, "")
	report(Observed{App: app, Host: host}, "Warning LimactlMissing")
	report(Observed{App: app, Host: host})
	host.Limactl.Message = "not executable"
	report(Observed{App: app, Host: host}, "Warning LimactlMissing")
	report(Observed{App: app, Host: hostOf("2", false)}, "Warning NoKVM", "Normal LimactlMissingResolved")
	report(Observed{}, "Normal NoKVMResolved")
	report(Observed{App: app, Host: hostOf("2", false)}, "Warning NoKVM")
	// A condition says it.
	silent := engineOf("a", "moby", "ConnectFailed", "refused", "")
	conditions := NewReporter(recorder, Conditions)
	conditions.Report(Known().Diagnose(Observed{Engines: []containersv1alpha1.ContainerEngine{silent}}), &silent)
	checkEvents(t, recorder)
	// Another observer's.
	report(Observed{App: app, Host: hostOf("2", false), Disk: &Disk{Free: 1, Total: gibibyte}})
	// No object is there to report on.
	two := []containersv1alpha1.ContainerEngine{engineOf("a", "moby", "Connected", "", "1"), engineOf("b", "moby", "Connected", "", "1")}
	report(Observed{App: app, Host: hostOf("2", false), Engines: two})
}

// TestReporterOfFigures: an Event has figures, and other figures are no other Event.
func TestReporterOfFigures(t *testing.T) {
	recorder := record.NewFakeRecorder(10)
	r := NewReporter(recorder, HostInfoEvents)
	for _, c := range []struct {
		free int64
		want []string
	}{{100, []string{"Warning DiskNearlyFull"}}, {50, nil}, {9 * gibibyte, []string{"Normal DiskNearlyFullResolved"}}} {
		host := &rddv1alpha1.HostInfo{}
		host.Name = rddv1alpha1.HostInfoName
		r.Report(Known().Diagnose(Observed{Disk: &Disk{Free: c.free, Total: 10 * gibibyte}}), host)
		checkEvents(t, recorder, c.want...)
	}
}

func checkEvents(t *testing.T, recorder *record.FakeRecorder, want ...string) {
	t.Helper()
	var got []string
	for len(recorder.Events) > 0 {
		event := strings.SplitN(<-recorder.Events, " ", 3)
		got = append(got, event[0]+" "+event[1])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
