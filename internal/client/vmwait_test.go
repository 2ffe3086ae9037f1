// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// state returns a running LimaVM of generation 3 with a change.
func state(change func(*limav1alpha1.LimaVM)) *limav1alpha1.LimaVM {
	vm := &limav1alpha1.LimaVM{
		ObjectMeta: metav1.ObjectMeta{UID: "1", Generation: 3},
		Status: limav1alpha1.LimaVMStatus{
			ObservedGeneration:              3,
			ObservedTemplateResourceVersion: "70",
			Conditions: []metav1.Condition{
				{Type: limav1alpha1.ConditionCreated, Status: metav1.ConditionTrue, Reason: limav1alpha1.ReasonCreated, ObservedGeneration: 3},
				{Type: limav1alpha1.ConditionRunning, Status: metav1.ConditionTrue, Reason: limav1alpha1.ReasonStarted, ObservedGeneration: 3},
			},
		},
	}
	change(vm)
	return vm
}

func runs(vm *limav1alpha1.LimaVM, reason string, generation int64) {
	vm.Status.Conditions[1].Status = metav1.ConditionFalse
	vm.Status.Conditions[1].Reason, vm.Status.Conditions[1].ObservedGeneration = reason, generation
}

func stalled(reason string, generation int64) metav1.Condition {
	return metav1.Condition{Type: limav1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: generation}
}

// stalls has a LimaVM not run, for a reason that waiting does not remove.
func stalls(vm *limav1alpha1.LimaVM, reason string, generation int64) {
	runs(vm, reason, generation)
	vm.Status.Conditions = append(vm.Status.Conditions, stalled(reason, generation))
}

// TestJudge: a state or failure from before a request does not end the wait for it.
func TestJudge(t *testing.T) {
	start := VMRequest{uid: "1", generation: 3, running: true}
	stop := VMRequest{uid: "1", generation: 3}
	edit := VMRequest{uid: "1", generation: 3, running: true, template: "71", rejectable: true}
	gone := VMRequest{uid: "1", generation: 3, gone: true, running: true}
	const done, waits, fails = "done", "waits", "fails"
	for name, test := range map[string]struct {
		request VMRequest
		change  func(*limav1alpha1.LimaVM)
		want    string
	}{
		"it runs":                    {start, func(*limav1alpha1.LimaVM) {}, done},
		"ran before":                 {start, func(vm *limav1alpha1.LimaVM) { vm.Status.Conditions[1].ObservedGeneration = 2 }, waits},
		"is changed during the wait": {start, func(vm *limav1alpha1.LimaVM) { vm.Generation = 4 }, waits},
		"starts":                     {start, func(vm *limav1alpha1.LimaVM) { runs(vm, limav1alpha1.ReasonStarting, 3) }, waits},
		"could not start":            {start, func(vm *limav1alpha1.LimaVM) { runs(vm, limav1alpha1.ReasonStartFailed, 3) }, waits},
		"starts again and again":     {start, func(vm *limav1alpha1.LimaVM) { runs(vm, limav1alpha1.ReasonCrashLoop, 3) }, waits},
		"is stalled":                 {start, func(vm *limav1alpha1.LimaVM) { stalls(vm, limav1alpha1.ReasonStartFailed, 3) }, fails},
		"was stalled before":         {start, func(vm *limav1alpha1.LimaVM) { stalls(vm, limav1alpha1.ReasonStartFailed, 2) }, waits},
		"runs with what it had": {start, func(vm *limav1alpha1.LimaVM) {
			vm.Status.Conditions = append(vm.Status.Conditions, stalled(limav1alpha1.ReasonTemplateRejected, 3))
		}, done},
		"is to stop then":      {start, func(vm *limav1alpha1.LimaVM) { vm.Spec.Running = ptr.To(false) }, fails},
		"is deleted then":      {start, func(vm *limav1alpha1.LimaVM) { vm.DeletionTimestamp = ptr.To(metav1.NewTime(time.Now())) }, fails},
		"is another":           {start, func(vm *limav1alpha1.LimaVM) { vm.UID = "2" }, fails},
		"is to restart":        {start, func(vm *limav1alpha1.LimaVM) { vm.Annotations = map[string]string{limav1alpha1.RestartAnnotation: "x"} }, waits},
		"is to stop, and runs": {stop, func(vm *limav1alpha1.LimaVM) { vm.Spec.Running = ptr.To(false) }, waits},
		"is to stop, and did": {stop, func(vm *limav1alpha1.LimaVM) {
			vm.Spec.Running = ptr.To(false)
			runs(vm, limav1alpha1.ReasonStopped, 3)
		}, done},
		"can't stop": {stop, func(vm *limav1alpha1.LimaVM) {
			vm.Spec.Running = ptr.To(false)
			stalls(vm, limav1alpha1.ReasonStopFailed, 3)
		}, fails},
		"has the template before":         {edit, func(*limav1alpha1.LimaVM) {}, waits},
		"has the template":                {edit, func(vm *limav1alpha1.LimaVM) { vm.Status.ObservedTemplateResourceVersion = "71" }, done},
		"has a newer template":            {edit, func(vm *limav1alpha1.LimaVM) { vm.Status.ObservedTemplateResourceVersion = "100" }, done},
		"rejects the template":            {edit, func(vm *limav1alpha1.LimaVM) { vm.Status.TemplateError = "no" }, fails},
		"a template rejected before that": {start, func(vm *limav1alpha1.LimaVM) { vm.Status.TemplateError = "no" }, done},
		"is to go":                        {gone, func(vm *limav1alpha1.LimaVM) { vm.Generation = 4 }, waits},
		"could not go yet":                {gone, func(vm *limav1alpha1.LimaVM) { vm.Generation = 4; runs(vm, limav1alpha1.ReasonStopFailed, 4) }, waits},
		"can't go":                        {gone, func(vm *limav1alpha1.LimaVM) { vm.Generation = 4; stalls(vm, limav1alpha1.ReasonStopFailed, 4) }, fails},
		"failed before it was to go":      {gone, func(vm *limav1alpha1.LimaVM) { vm.Generation = 4; runs(vm, limav1alpha1.ReasonStartFailed, 3) }, waits},
		"is gone, and made again":         {gone, func(vm *limav1alpha1.LimaVM) { vm.UID = types.UID("2") }, done},
	} {
		got := waits
		switch is, err := test.request.judge(state(test.change)); {
		case err != nil:
			got = fails
		case is:
			got = done
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if is, err := gone.judge(nil); !is || err != nil {
		t.Error("the wait for a deletion does not end")
	}
	if _, err := start.judge(nil); err == nil {
		t.Error("the wait for the start of a deleted virtual machine does not end")
	}
	rejected := (*TemplateRejectedError)(nil)
	if _, err := edit.judge(state(func(vm *limav1alpha1.LimaVM) { vm.Status.TemplateError = "no" })); !errors.As(err, &rejected) || rejected.Reason != "no" {
		t.Errorf("a rejection is %v", err)
	}
}

// TestWithFields: the rest of the template stays as the user wrote it.
func TestWithFields(t *testing.T) {
	const template = "# mine\nimages: [{location: /disk}]\ncpus: 2 # enough\nprovision:\n  - script: |\n      echo hi\n"
	got, err := WithFields([]TemplateField{{"cpus", "4"}, {"memory", "3GiB"}})(template)
	want := "# mine\nimages: [{location: /disk}]\ncpus: 4 # enough\nprovision:\n  - script: |\n      echo hi\nmemory: 3GiB\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := WithFields([]TemplateField{{"cpus", "2"}})("cpus:   2\n"); err != nil || got != "cpus:   2\n" {
		t.Errorf("an unchanged template became %q, %v", got, err)
	}
	for _, bad := range []string{"", "- a\n", "a: [\n", "words\n"} {
		if got, err := WithFields([]TemplateField{{"cpus", "2"}})(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
