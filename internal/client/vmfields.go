// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// TemplateField is a field of a template, with its value in YAML.
type TemplateField struct{ Name, Value string }

// WithFields returns a [VMChange.Template] that sets top-level fields of a template. It
// keeps the other fields, their order and their comments.
func WithFields(fields []TemplateField) func(template string) (string, error) {
	return func(template string) (string, error) {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(template), &document); err != nil {
			return "", fmt.Errorf("read the template: %w", err)
		}
		if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
			return "", errors.New("the template is not a YAML mapping")
		}
		changed := false
		for _, field := range fields {
			changed = setField(document.Content[0], field) || changed
		}
		if !changed {
			return template, nil
		}
		var text bytes.Buffer
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2) // the usual indentation
		err := errors.Join(encoder.Encode(&document), encoder.Close())
		return text.String(), err
	}
}

// setField sets a field of a mapping, and reports whether it had another value.
func setField(mapping *yaml.Node, field TemplateField) bool {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		value := mapping.Content[i+1]
		if mapping.Content[i].Value != field.Name {
			continue
		}
		if value.Kind == yaml.ScalarNode && value.Value == field.Value {
			return false
		}
		*value = yaml.Node{Kind: yaml.ScalarNode, Value: field.Value, LineComment: value.LineComment, FootComment: value.FootComment}
		return true
	}
	mapping.Content = append(mapping.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Value: field.Name}, &yaml.Node{Kind: yaml.ScalarNode, Value: field.Value})
	return true
}
