// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const gib = 1 << 30

func request(operation admissionv1.Operation, object, old string) ctrladmission.Request {
	r := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Name: "app", Operation: operation, Object: runtime.RawExtension{Raw: []byte(object)},
	}}
	if old != "" {
		r.OldObject.Raw = []byte(old)
	}
	return r
}

// appWith is an App with the given virtual machine.
func appWith(vm string) string {
	return `{"apiVersion":"app.rancherdesktop.io/v1alpha1","kind":"App","metadata":{"name":"app"},"spec":{"running":false,"virtualMachine":` + vm + `}}`
}

// TestSizeOfTheMachine: defaults replace missing values and 0; a value that exceeds the
// machine is rejected with the field, the value and the limit; an unchanged value
// stays.
func TestSizeOfTheMachine(t *testing.T) {
	for name, test := range map[string]struct {
		host     host
		env      string
		new, old string
		want     string   // the expected virtual machine; empty if it does not matter
		refused  []string // parts of the error message; nil if the App is admitted
	}{
		"defaults":          {host: host{processors: 8, bytes: 16 * gib}, new: `{}`, want: `{"cpus":4,"memory":"4Gi"}`},
		"null":              {host: host{processors: 8, bytes: 16 * gib}, new: `null`, want: `{"cpus":4,"memory":"4Gi"}`},
		"zeros":             {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":0,"memory":"0"}`, want: `{"cpus":2,"memory":"2Gi"}`},
		"zeros with a unit": {host: host{processors: 1, bytes: 1 * gib}, new: `{"cpus":0,"memory":"0Gi"}`, want: `{"cpus":1,"memory":"1Gi"}`},
		"a number":          {host: host{processors: 2, bytes: 4 * gib}, new: `{"memory":0}`, want: `{"cpus":2,"memory":"2Gi"}`},
		"large machines":    {host: host{processors: 64, bytes: 256 * gib}, new: `{}`, want: `{"cpus":8,"memory":"8Gi"}`},
		"others stay":       {host: host{processors: 4, bytes: 8 * gib}, new: `{"cpus":1,"memory":"1024Mi","disk":"0.5Ti"}`, want: `{"cpus":1,"memory":"1024Mi","disk":"0.5Ti"}`},
		"a tiny machine":    {host: host{processors: 1, bytes: 400 << 20}, new: `{}`, want: `{"cpus":1}`},
		"unknown memory":    {host: host{processors: 1}, new: `{"memory":"999Gi"}`, want: `{"cpus":1,"memory":"999Gi"}`},
		"all there is":      {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":2,"memory":"4Gi"}`, want: `{"cpus":2,"memory":"4Gi"}`},
		"environment":       {host: host{processors: 8, bytes: 16 * gib}, env: "3", new: `{}`, want: `{"cpus":3,"memory":"4Gi"}`},
		"environment's 0":   {host: host{processors: 8, bytes: 16 * gib}, env: "0", new: `{}`, want: `{"cpus":4,"memory":"4Gi"}`},
		"environment, set":  {host: host{processors: 8, bytes: 16 * gib}, env: "3", new: `{"cpus":5}`, want: `{"cpus":5,"memory":"4Gi"}`},

		"environment's words":  {host: host{processors: 8}, env: "many", new: `{}`, refused: []string{"spec.virtualMachine.cpus", "RDD_VM_CPUS", `"many"`, "number of processors"}},
		"environment's excess": {host: host{processors: 2}, env: "9", new: `{}`, refused: []string{"spec.virtualMachine.cpus", "9", "at most 2", "RDD_VM_CPUS"}},
		"too many":             {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":99}`, refused: []string{"spec.virtualMachine.cpus: Invalid value: 99: must be at most 2"}},
		"too much":             {host: host{processors: 2, bytes: 4 * gib}, new: `{"memory":"999999Gi"}`, refused: []string{`spec.virtualMachine.memory: Invalid value: "999999Gi": must be at most 4Gi`}},
		"both":                 {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":3,"memory":"5Gi"}`, refused: []string{"cpus: Invalid value: 3", `memory: Invalid value: "5Gi"`}},
		"it was so":            {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":99,"memory":"1Ti"}`, old: `{"cpus":99,"memory":"1024Gi"}`, want: `{"cpus":99,"memory":"1Ti"}`},
		"less, but too many":   {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":98,"memory":"1Ti"}`, old: `{"cpus":99,"memory":"1Ti"}`, refused: []string{"Invalid value: 98"}},
		"one of them changes":  {host: host{processors: 2, bytes: 4 * gib}, new: `{"cpus":99,"memory":"2Ti"}`, old: `{"cpus":99,"memory":"1Ti"}`, refused: []string{`memory: Invalid value: "2Ti"`}},
	} {
		t.Run(name, func(t *testing.T) {
			test.host.getenv = func(string) string { return test.env }
			hook := hook(test.host)
			r := request(admissionv1.Create, appWith(test.new), "")
			if test.old != "" {
				r = request(admissionv1.Update, appWith(test.new), appWith(test.old))
			}
			answer := hook.Default(t.Context(), nil, r)
			if answer.Allowed {
				patches, err := json.Marshal(answer.Patches)
				if err != nil {
					t.Fatal(err)
				}
				patch, err := jsonpatch.DecodePatch(patches)
				if err != nil {
					t.Fatal(err)
				}
				if len(answer.Patches) > 0 {
					if r.Object.Raw, err = patch.Apply(r.Object.Raw); err != nil {
						t.Fatal(err)
					}
				}
				answer = hook.Validate(t.Context(), nil, r)
			}
			if answer.Allowed != (test.refused == nil) {
				t.Fatalf("allowed: %v, %+v", answer.Allowed, answer.Result)
			}
			for _, words := range test.refused {
				if !strings.Contains(answer.Result.Message, words) {
					t.Errorf("%q is not in %q", words, answer.Result.Message)
				}
			}
			if test.want != "" && !jsonpatch.Equal(r.Object.Raw, []byte(appWith(test.want))) {
				t.Errorf("it is %s, want %s", r.Object.Raw, test.want)
			}
		})
	}
}

// TestDefaultsAreNoChange: writing the defaults into an App does not regenerate a
// template of an earlier version.
func TestDefaultsAreNoChange(t *testing.T) {
	m := &machines{cpus: 2, memory: 4 * gib}
	previous := madeFrom{Disk: "100Gi", Template: "sha256:x"}
	if got := m.filledIn(previous, madeFrom{CPUs: 2, Memory: "4Gi", Disk: "100Gi"}); !got.same(madeFrom{CPUs: 2, Memory: "4Gi", Disk: "100Gi"}) {
		t.Errorf("the defaults: %+v", got)
	}
	if got := m.filledIn(previous, madeFrom{CPUs: 1, Memory: "4Gi", Disk: "100Gi"}); got.same(madeFrom{CPUs: 1, Memory: "4Gi", Disk: "100Gi"}) {
		t.Errorf("another number: %+v", got)
	}
}
