// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
)

// colours is a hook for ConfigMaps: the default colour is red, blue is rejected, and
// the colour is immutable.
func colours() admission.Hook {
	path := field.NewPath("data").Key("colour")
	return admission.NewHook(corev1.SchemeGroupVersion.WithResource("configmaps"), "ConfigMap", admission.Rules[*corev1.ConfigMap]{
		New: func() *corev1.ConfigMap { return &corev1.ConfigMap{} },
		Default: func(_ context.Context, _ client.Reader, m *corev1.ConfigMap) error {
			if m.Data["broken"] != "" {
				return errors.New("it is broken")
			}
			if m.Data["colour"] == "" {
				m.Data = map[string]string{"colour": "red"}
			}
			return nil
		},
		Validate: func(_ context.Context, _ client.Reader, m, old *corev1.ConfigMap) field.ErrorList {
			switch {
			case m.Data["colour"] == "blue":
				return field.ErrorList{field.NotSupported(path, "blue", []string{"red", "green"})}
			case old != nil && old.Data["colour"] != m.Data["colour"]:
				return field.ErrorList{field.Forbidden(path, "does not change")}
			}
			return nil
		},
	})
}

func colour(name string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "paint"}}
	if name != "" {
		m.Data = map[string]string{"colour": name}
	}
	return m
}

func request(t *testing.T, operation admissionv1.Operation, object, old *corev1.ConfigMap) ctrladmission.Request {
	t.Helper()
	raw := func(m *corev1.ConfigMap) runtime.RawExtension {
		if m == nil {
			return runtime.RawExtension{}
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: data}
	}
	return ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: operation, Object: raw(object), OldObject: raw(old),
	}}
}

func TestDefault(t *testing.T) {
	hook := colours()
	answer := hook.Default(t.Context(), nil, request(t, admissionv1.Create, colour(""), nil))
	if !answer.Allowed || len(answer.Patches) != 1 || answer.Patches[0].Path != "/data" {
		t.Errorf("nothing given: %+v", answer)
	}
	answer = hook.Default(t.Context(), nil, request(t, admissionv1.Create, colour("green"), nil))
	if !answer.Allowed || len(answer.Patches) != 0 {
		t.Errorf("all given: %+v", answer)
	}
	broken := colour("green")
	broken.Data["broken"] = "yes"
	answer = hook.Default(t.Context(), nil, request(t, admissionv1.Update, broken, broken))
	if answer.Allowed || answer.Result.Code != http.StatusInternalServerError || answer.Result.Message != "it is broken" {
		t.Errorf("an error: %+v", answer)
	}
}

func TestValidate(t *testing.T) {
	hook := colours()
	leaving := colour("blue")
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	for name, test := range map[string]struct {
		request ctrladmission.Request
		code    int32 // 0 if it is allowed
		words   []string
	}{
		"allowed":            {request(t, admissionv1.Create, colour("green"), nil), 0, nil},
		"not allowed":        {request(t, admissionv1.Create, colour("blue"), nil), 422, []string{`"paint"`, "data[colour]", `"blue"`, `"red", "green"`}},
		"the same":           {request(t, admissionv1.Update, colour("green"), colour("green")), 0, nil},
		"another":            {request(t, admissionv1.Update, colour("green"), colour("red")), 422, []string{"does not change"}},
		"being deleted":      {request(t, admissionv1.Update, leaving, colour("red")), 0, nil},
		"a deletion":         {request(t, admissionv1.Delete, nil, colour("blue")), 0, nil},
		"not even an object": {ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}, 400, nil},
	} {
		answer := hook.Validate(t.Context(), nil, test.request)
		if answer.Allowed != (test.code == 0) || !answer.Allowed && answer.Result.Code != test.code {
			t.Errorf("%s: %+v", name, answer)
			continue
		}
		for _, word := range test.words {
			if !strings.Contains(answer.Result.Message, word) {
				t.Errorf("%s: %q does not say %s", name, answer.Result.Message, word)
			}
		}
	}
	status := request(t, admissionv1.Update, colour("blue"), colour("red"))
	status.SubResource = "status"
	if answer := hook.Validate(t.Context(), nil, status); !answer.Allowed {
		t.Errorf("a subresource: %+v", answer)
	}
}
