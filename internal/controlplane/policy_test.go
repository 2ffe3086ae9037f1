// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// testPolicyParameters has a policy read a ConfigMap: in a second life of the
// policy too, when its parameter is another one than in the first.
func testPolicyParameters(t *testing.T, env *controlplanetest.Env) {
	client := clientset(t, env.Remote())
	for _, color := range []string{"red", "blue"} {
		parameter := configMap("color")
		parameter.Data = map[string]string{"color": color}
		if _, err := client.CoreV1().ConfigMaps("kube-system").Create(t.Context(), parameter, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		remove := colorPolicy(t, client)
		eventually(t, "what is not "+color+" is refused", func() bool {
			return apierrors.IsInvalid(painted(t, client, "green"))
		})
		eventually(t, color+" is allowed", func() bool { return painted(t, client, color) == nil })
		remove()
		eventually(t, "nothing is refused any more", func() bool { return painted(t, client, "green") == nil })
		if err := client.CoreV1().ConfigMaps("kube-system").Delete(t.Context(), parameter.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// painted asks whether a ConfigMap of a color may be made.
func painted(t *testing.T, client kubernetes.Interface, color string) error {
	asked := configMap("painted")
	asked.Data = map[string]string{"color": color}
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), asked, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// colorPolicy makes a policy that allows ConfigMaps of one color, and returns
// what removes it.
func colorPolicy(t *testing.T, client kubernetes.Interface) func() {
	t.Helper()
	policies, bindings := client.AdmissionregistrationV1().ValidatingAdmissionPolicies(), client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "color"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"},
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				ResourceNames: []string{"painted"},
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{corev1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "object.data.color == params.data.color"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "color"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name,
			ParamRef: &admissionregistrationv1.ParamRef{
				Name: "color", Namespace: "kube-system", ParameterNotFoundAction: ptr.To(admissionregistrationv1.DenyAction)},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	if _, err := policies.Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := bindings.Delete(t.Context(), binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := policies.Delete(t.Context(), policy.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
