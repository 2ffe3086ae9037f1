// SPDX-License-Identifier: Apache-2.0

// Package english skips the loading of kubectl's translations, which the
// initialisation of kubectl's packages would do: it takes 17 ms, for texts that
// the program already contains. If the user's language is not English, the
// translations are loaded.
//
// It works because Go initialises packages whose imports are ready in the order
// of their import paths, and this one's comes before kubectl's own.
package english

import (
	"os"
	"strings"

	"k8s.io/kubectl/pkg/util/i18n"
)

var _ = i18n.SetLoadTranslationsFunc(load)

func load() error {
	if isEnglish(os.Getenv) {
		return nil
	}
	return i18n.LoadTranslations("kubectl", nil)
}

// isEnglish reports whether the language is English, by the precedence of gettext's
// variables.
func isEnglish(getenv func(string) string) bool {
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if language := getenv(variable); language != "" {
			return language == "C" || language == "POSIX" || strings.HasPrefix(language, "C.") || strings.HasPrefix(language, "en")
		}
	}
	return true
}
