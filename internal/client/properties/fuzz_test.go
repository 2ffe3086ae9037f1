// SPDX-License-Identifier: Apache-2.0

package properties

import (
	"encoding/json"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func FuzzParse(f *testing.F) {
	text := func(kind string) apiextensionsv1.JSONSchemaProps { return apiextensionsv1.JSONSchemaProps{Type: kind} }
	set := &Set{objects: map[string][]string{}}
	set.add("", &apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{
		"flag": text("boolean"), "count": text("integer"), "share": text("number"), "word": text("string"), "size": {XIntOrString: true},
		"list":  {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{"a": text("string")}}}},
		"inner": {Properties: map[string]apiextensionsv1.JSONSchemaProps{"name": {Type: "string", Enum: []apiextensionsv1.JSON{{Raw: []byte(`"x"`)}}}}},
	}}, nil)
	for _, seed := range []string{
		"flag=true", "count=7\n" + "count=7", "count=9223372036854775808", "share=NaN", "share=-Inf", "share=1e400", "size=4Gi", "size=1e100000", "list=[{\"a\":1}]", "list=[null,{\"b\":1}]",
		"inner.name=x", "inner=x", "=", "x", "word=\x00\xff", "count=", "inner.name.x=1", "list=" + strings.Repeat("[", 10_001),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		spec, err := set.Parse(strings.Split(lines, "\n"))
		if err != nil {
			return
		}
		if _, err := json.Marshal(spec); err != nil {
			t.Errorf("%q makes a spec that can't be encoded: %v", lines, err)
		}
		for name := range spec {
			if name == "" {
				t.Errorf("%q sets a property without a name", lines)
			}
		}
	})
}
