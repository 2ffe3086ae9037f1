// SPDX-License-Identifier: Apache-2.0

package program_test

import "testing"

// TestMisspelt: a command that there is not is refused with those that are like it.
func TestMisspelt(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.fails(2, []string{`unknown command "stat"`, "did you mean", "start", "status", "rdd --help"}, "stat")
	h.fails(2, []string{`unknown command "delte" for "rdd service"`, "did you mean delete?"}, "service", "delte")
	if r := h.fails(2, []string{"unknown command"}, "frobnicate"); r.stdout != "" {
		t.Errorf("an error prints %q", r.stdout)
	}
	h.fails(2, []string{"unexpected argument"}, "start", "now")
	h.fails(2, []string{"unknown flag", "did you mean `rdd delete --yes`?"}, "delete", "--force")
	if files := h.files(); len(files) != 0 {
		t.Errorf("errors made files: %v", files)
	}
}
