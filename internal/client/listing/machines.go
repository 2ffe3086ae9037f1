// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// VirtualMachines is the table of virtual machines, sorted by name.
func VirtualMachines() Table {
	return Table{
		group:   "lima",
		columns: []string{"NAME", "STATUS", "NAMESPACE", "SSH", "RESTARTS", "AGE", "MESSAGE"},
		list:    func() client.ObjectList { return &limav1alpha1.LimaVMList{} },
		row: func(obj client.Object, c cells) []string {
			vm := obj.(*limav1alpha1.LimaVM)
			made := vm.CreationTimestamp
			return []string{
				vm.Name, machineState(vm), vm.Namespace, cmp.Or(vm.Status.SSHAddress, none),
				strconv.Itoa(int(vm.Status.RestartCount)), c.age(&made), trouble(vm),
			}
		},
		compare: func(a, b client.Object) int {
			return cmp.Or(cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetNamespace(), b.GetNamespace()))
		},
	}
}

// machineState returns the state of a virtual machine, or its operation in progress.
func machineState(vm *limav1alpha1.LimaVM) string {
	state := none
	if running := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionRunning); running != nil {
		state = running.Reason
	}
	if doing := vm.Status.Progress; doing != nil {
		if state = string(doing.Phase); doing.Percent != nil {
			state += fmt.Sprintf(" (%d%%)", *doing.Percent)
		}
	}
	return state
}

// trouble describes the problems of a virtual machine.
func trouble(vm *limav1alpha1.LimaVM) string {
	var words []string
	for _, c := range vm.Status.Conditions {
		if limav1alpha1.Failed(c) || c.Reason == limav1alpha1.ReasonDegraded || c.Status == metav1.ConditionUnknown {
			words = append(words, c.Message)
		}
	}
	if vm.Status.TemplateError != "" {
		words = append(words, "the template is not applied: "+vm.Status.TemplateError)
	}
	return strings.Join(strings.Fields(strings.Join(slices.Compact(words), "; ")), " ")
}
