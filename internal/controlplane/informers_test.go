// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func newTestSet(t *testing.T) (*informerSet, *refusals) {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	refused := &refusals{}
	set, err := newInformerSet(client, refused)
	if err != nil {
		t.Fatal(err)
	}
	return set, refused
}

// TestEachInformerIsSharedOrRefused: no method of the factory, nor of what it returns,
// panics. What returns nil has been recorded.
func TestEachInformerIsSharedOrRefused(t *testing.T) {
	set, refused := newTestSet(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	over := make(chan struct{})
	close(over)
	arguments := map[reflect.Type]reflect.Value{
		reflect.TypeFor[context.Context](): reflect.ValueOf(ended),
		reflect.TypeFor[<-chan struct{}](): reflect.ValueOf((<-chan struct{})(over)),
		reflect.TypeFor[runtime.Object]():  reflect.ValueOf(&corev1.Pod{}),
	}
	var methods int
	var try func(path string, of reflect.Type, value reflect.Value)
	try = func(path string, of reflect.Type, value reflect.Value) {
		for i := range of.NumMethod() {
			method := of.Method(i)
			name := path + "." + method.Name
			if method.Name == "Start" {
				continue // it calls StartWithContext, and informers start once
			}
			var in []reflect.Value
			for j := range method.Type.NumIn() {
				argument, ok := arguments[method.Type.In(j)]
				if !ok {
					argument = reflect.Zero(method.Type.In(j))
				}
				in = append(in, argument)
			}
			before := len(refused.names)
			methods++
			out := value.MethodByName(method.Name).Call(in)
			if len(out) != 1 || out[0].Kind() != reflect.Interface {
				continue
			}
			switch {
			case out[0].IsNil() && len(refused.names) == before:
				t.Errorf("%s returns nil without an error", name)
			case !out[0].IsNil() && strings.HasPrefix(out[0].Type().PkgPath(), "k8s.io/client-go/informers/") && out[0].Type().Name() == "Interface":
				try(name, out[0].Type(), out[0].Elem())
			}
		}
	}
	try("factory", reflect.TypeFor[informers.SharedInformerFactory](), reflect.ValueOf(set))
	set.Shutdown()
	if methods < 50 {
		t.Errorf("only %d methods were called", methods)
	}
}

// TestRefusedInformerIsAnError: a step that requests an informer which is not shared
// fails with its name, and other panics are none of this.
func TestRefusedInformerIsAnError(t *testing.T) {
	set, refused := newTestSet(t)
	err := refused.guard(func() error {
		set.Core().V1().Namespaces().Informer()
		set.Apps().V1().Deployments().Informer()
		return nil
	})
	if !errors.Is(err, errNoInformer) || !strings.HasSuffix(err.Error(), ": apps") {
		t.Errorf("it says %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a panic of another cause was taken for a refusal")
		}
	}()
	_ = (&refusals{}).guard(func() error { panic("another cause") })
}
