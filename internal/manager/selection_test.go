// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"slices"
	"strings"
	"testing"
)

var testRegistry = Registry{
	{Name: "container", Group: "containers"},
	{Name: "image", Group: "containers"},
	{Name: "engine", Group: "containers", DependsOn: []string{"container", "image"}},
	{Name: "app", Group: "app", DependsOn: []string{"engine"}},
	{Name: "hostinfo", Group: "rdd"},
}

func TestSelect(t *testing.T) {
	for selection, want := range map[string]string{
		"":                          "",
		"*":                         "container image engine app hostinfo",
		"containers":                "container image engine",
		"containers,-engine":        "container image",
		"*,-app":                    "container image engine hostinfo",
		"*,-app,app":                "container image engine app hostinfo",
		"-app,*":                    "container image engine app hostinfo",
		"app,containers":            "container image engine app",
		"hostinfo":                  "hostinfo",
		" rdd , container ":         "container hostinfo",
		"*,-*":                      "",
		"*,-containers,-app,image":  "image hostinfo",
		"container,container,image": "container image",
	} {
		chosen, err := testRegistry.Select(selection)
		if err != nil {
			t.Errorf("%q: %v", selection, err)
			continue
		}
		if got := strings.Join(Names(chosen), " "); got != want {
			t.Errorf("%q selects %q, want %q", selection, got, want)
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	for selection, words := range map[string][]string{
		"nothing":             {`"nothing"`, "container", "engine", "app", "hostinfo", "*"},
		"*,-nothing":          {`"nothing"`},
		"app":                 {`"app"`, `"engine"`},
		"engine":              {`"engine"`, `"container"`},
		"containers,-image":   {`"engine"`, `"image"`},
		"Containers":          {`"Containers"`},
		"containers;app":      {`"containers;app"`},
		"containers,--engine": {`"-engine"`},
	} {
		_, err := testRegistry.Select(selection)
		if err == nil {
			t.Errorf("%q was taken", selection)
			continue
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: error %q does not say %s", selection, err, word)
			}
		}
	}
}

func TestHelpNamesEverything(t *testing.T) {
	help := testRegistry.Help()
	for _, controller := range testRegistry {
		for _, word := range []string{controller.Name, controller.Group} {
			if !slices.Contains(strings.FieldsFunc(help, func(r rune) bool { return strings.ContainsRune(" ,()", r) }), word) {
				t.Errorf("help %q does not name %s", help, word)
			}
		}
	}
}
