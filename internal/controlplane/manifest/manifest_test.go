// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

var update = flag.Bool("update", false, "write down the manifests' revisions")

func TestMain(m *testing.M) {
	logging.Capture(slog.New(slog.DiscardHandler), nil, func(reason string) { panic(reason) })
	os.Exit(m.Run())
}

const policyPath = "policies/owned-engines.yaml"

var policyRevision = regexp.MustCompile(`revision: "\d+"`)

// TestPolicies: a policy is created, kept if it is equal, and replaced by a newer
// revision, but not by an older one.
func TestPolicies(t *testing.T) {
	client, err := kubernetes.NewForConfig(controlplanetest.Start(t).Server.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	original, err := containersv1alpha1.Files.ReadFile(policyPath)
	if err != nil {
		t.Fatal(err)
	}
	install := func(revision, words string) (resourceVersions, message string, err error) {
		t.Helper()
		text := strings.Replace(string(original), policyRevision.FindString(string(original)), `revision: "`+revision+`"`, 1)
		text = strings.ReplaceAll(text, "delete or stop the owner instead", words)
		source := manifest.Source{Files: fstest.MapFS{policyPath: {Data: []byte(text)}}, Path: policyPath}
		err = manifest.InstallPolicies(t.Context(), client, []manifest.Source{source})
		const name = "owned-engines.rdd.rancherdesktop.io"
		policy, getErr := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), name, metav1.GetOptions{})
		if getErr != nil {
			t.Fatal(getErr)
		}
		binding, getErr := client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(t.Context(), name, metav1.GetOptions{})
		if getErr != nil {
			t.Fatal(getErr)
		}
		return policy.ResourceVersion + " " + binding.ResourceVersion, policy.Spec.Validations[0].MessageExpression, err
	}
	first, _, err := install("102", "delete or stop the owner instead")
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := install("102", "delete or stop the owner instead"); err != nil || again != first {
		t.Errorf("the same again: %v, versions %s, before %s", err, again, first)
	}
	if _, message, err := install("104", "newer"); err != nil || !strings.Contains(message, "newer") {
		t.Errorf("a newer one: %v, %s", err, message)
	}
	if _, message, err := install("103", "older"); err != nil || !strings.Contains(message, "newer") {
		t.Errorf("an older one: %v, %s", err, message)
	}
	policies := client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	foreign, err := policies.Get(t.Context(), "owned-engines.rdd.rancherdesktop.io", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign.Annotations = nil
	if _, err := policies.Update(t.Context(), foreign, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, message, err := install("105", "taken"); err == nil || !strings.Contains(err.Error(), "RDD did not create") || !strings.Contains(message, "newer") {
		t.Errorf("one that is not RDD's: %v, %s", err, message)
	}
}

// TestRevisionMovesWithContent: a changed manifest has a new revision, otherwise an
// older program would take a newer program's for its own.
func TestRevisionMovesWithContent(t *testing.T) {
	const known = "testdata/revisions.txt"
	files, err := filepath.Glob("../../../api/*/v1alpha1/*/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v: %v", files, err)
	}
	slices.Sort(files)
	data, err := os.ReadFile(known)
	if err != nil && !*update {
		t.Fatal(err)
	}
	before := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			before[fields[0]] = fields[1:]
		}
	}
	revisions := regexp.MustCompile(`rdd\.rancherdesktop\.io/revision: "(\d+)"`)
	var now strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		match := revisions.FindSubmatch(content)
		if match == nil {
			t.Errorf("%s has no revision", file)
			continue
		}
		name, revision := strings.TrimPrefix(file, "../../../api/"), string(match[1])
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		_, _ = fmt.Fprintln(&now, name, revision, sum)
		old, ok := before[name]
		switch {
		case ok && old[1] != sum && old[0] == revision:
			t.Errorf("%s has changed: raise its revision from %s, and run go test ./internal/controlplane/manifest -update", name, revision)
		case !*update && (!ok || old[1] != sum):
			t.Errorf("%s is new: run go test ./internal/controlplane/manifest -update", name)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(known, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
