// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// policy is a policy with its binding, which applies to all matching objects.
type policy struct {
	admissionregistrationv1.ValidatingAdmissionPolicy
	binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// parsePolicy reads a file with two documents: a policy and its binding.
func parsePolicy(source Source) (*policy, error) {
	data, err := source.read()
	if err != nil {
		return nil, err
	}
	var p policy
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for _, into := range []any{&p.ValidatingAdmissionPolicy, &p.binding} {
		document, err := documents.Read()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", source.Path, err)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			return nil, fmt.Errorf("%s: %w", source.Path, err)
		}
	}
	return &p, nil
}

// InstallPolicies installs the policies. The API server applies a new one within about
// a second, or immediately if it exists before the server starts to read policies.
func InstallPolicies(ctx context.Context, client kubernetes.Interface, sources []Source) error {
	for _, source := range sources {
		p, err := parsePolicy(source)
		if err != nil {
			return err
		}
		if err := p.ensure(ctx, client); err != nil {
			return fmt.Errorf("install the policy %s: %w", p.Name, err)
		}
	}
	return nil
}

func (p *policy) ensure(ctx context.Context, client kubernetes.Interface) error {
	api := client.AdmissionregistrationV1()
	_, err := ensure(ctx, api.ValidatingAdmissionPolicies(), &p.ValidatingAdmissionPolicy,
		func(have, want *admissionregistrationv1.ValidatingAdmissionPolicy) bool {
			same := apiequality.Semantic.DeepEqual(have.Spec, want.Spec)
			have.Spec = want.Spec
			return same
		})
	if err != nil {
		return err
	}
	_, err = ensure(ctx, api.ValidatingAdmissionPolicyBindings(), &p.binding,
		func(have, want *admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool {
			same := apiequality.Semantic.DeepEqual(have.Spec, want.Spec)
			have.Spec = want.Spec
			return same
		})
	return err
}
