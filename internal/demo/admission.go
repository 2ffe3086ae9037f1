// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"strings"
	"text/template/parse"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
)

// hook returns the admission that neither a schema nor CEL can do: to default to the
// object's own name, and to validate a template.
func hook() admission.Hook {
	return admission.NewHook(appv1alpha1.GroupVersion.WithResource("demos"), "Demo", admission.Rules[*appv1alpha1.Demo]{
		New: func() *appv1alpha1.Demo { return &appv1alpha1.Demo{} },
		Default: func(_ context.Context, _ client.Reader, demo *appv1alpha1.Demo) error {
			if demo.Spec.Name == "" {
				demo.Spec.Name = demo.Name
			}
			return nil
		},
		Validate: func(_ context.Context, _ client.Reader, demo, _ *appv1alpha1.Demo) field.ErrorList {
			if _, err := greet(demo); err != nil {
				return field.ErrorList{field.Invalid(field.NewPath("spec", "greeting"), demo.Spec.Greeting,
					"must be text with {{.Name}} and {{.Namespace}} only: "+err.Error())}
			}
			return nil
		},
	})
}

// greet returns the greeting of a Demo.
func greet(demo *appv1alpha1.Demo) (string, error) {
	trees, err := parse.Parse("greeting", demo.Spec.Greeting, "", "")
	if err != nil {
		return "", err
	}
	values := map[string]string{"Name": demo.Spec.Name, "Namespace": demo.Namespace}
	var message strings.Builder
	for _, node := range trees["greeting"].Root.Nodes {
		text, err := render(node, values)
		if err != nil {
			return "", err
		}
		message.WriteString(text)
	}
	return message.String(), nil
}

// render returns the text of a part of a template. It accepts only text and fields,
// because other templates could run forever.
func render(node parse.Node, values map[string]string) (string, error) {
	switch node := node.(type) {
	case *parse.TextNode:
		return string(node.Text), nil
	case *parse.ActionNode:
		if len(node.Pipe.Decl) == 0 && len(node.Pipe.Cmds) == 1 && len(node.Pipe.Cmds[0].Args) == 1 {
			if field, ok := node.Pipe.Cmds[0].Args[0].(*parse.FieldNode); ok && len(field.Ident) == 1 {
				if value, ok := values[field.Ident[0]]; ok {
					return value, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s is neither text nor one of these", node)
}
