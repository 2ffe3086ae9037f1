// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// errParam is the error for a parameter that the template does not declare.
var errParam = errors.New("is not declared in the template's field param")

// render returns the template with the parameters set. Without parameters it returns
// the template unchanged. The error for an undeclared parameter is [errParam].
func render(template string, params map[string]string) (string, error) {
	if len(params) == 0 {
		return template, nil
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(template), &document); err != nil {
		return "", fmt.Errorf("read the template: %w", err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return "", errors.New("the template is not a YAML mapping")
	}
	declared := map[string]*yaml.Node{}
	if param := valueOf(document.Content[0], "param"); param != nil {
		for i := 0; i+1 < len(param.Content); i += 2 {
			declared[param.Content[i].Value] = param.Content[i+1]
		}
	}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		value, ok := declared[key]
		if !ok {
			return "", fmt.Errorf("%q %w, which has %s", key, errParam, listed(declared))
		}
		*value = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: params[key]}
	}
	text, err := yaml.Marshal(&document)
	return string(text), err
}

func listed(declared map[string]*yaml.Node) string {
	if len(declared) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(declared)), ", ")
}

// valueOf returns the value of a key in a mapping, nil if it is missing.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// same reports whether two templates are equal apart from comments.
func same(a, b string) bool {
	if a == b {
		return true
	}
	var left, right any
	if sigsyaml.Unmarshal([]byte(a), &left) != nil || sigsyaml.Unmarshal([]byte(b), &right) != nil {
		return false
	}
	return reflect.DeepEqual(left, right)
}

// images returns the URLs of the images that a template names.
func images(template string) []string {
	var named struct {
		Images []struct {
			Location string `json:"location"`
		} `json:"images"`
	}
	if sigsyaml.Unmarshal([]byte(template), &named) != nil {
		return nil
	}
	var urls []string
	for _, image := range named.Images {
		if strings.HasPrefix(image.Location, "http://") || strings.HasPrefix(image.Location, "https://") {
			urls = append(urls, image.Location)
		}
	}
	return urls
}

// templateOf returns the template in a ConfigMap's data.
func templateOf(data map[string]string) (string, error) {
	text, ok := data[limav1alpha1.TemplateKey]
	if !ok || strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("has no key %s", limav1alpha1.TemplateKey)
	}
	return text, nil
}
