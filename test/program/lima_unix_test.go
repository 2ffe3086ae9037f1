// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

const limaTemplate = "images: [{location: /disk.img}]\nparam: {ENGINE: moby}\n"

// builtLimactl builds the limactl of the tests, once, and returns its path.
var builtLimactl = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(programs, "lima") // where no program looks for it
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Join(dir, "limactl"), stage.Build(dir, "../fakelimactl")
})

// newLimaHome is a home with a limactl that has no virtual machines, and a
// directory for temporary files.
func newLimaHome(t *testing.T) (h *home, limaHome, temporary string) {
	t.Helper()
	dir := t.TempDir()
	built, err := builtLimactl()
	if err == nil {
		err = os.Link(built, filepath.Join(dir, "limactl"))
	}
	if err != nil {
		t.Fatal(err)
	}
	h = newHome(t, "RDD_LIMACTL="+filepath.Join(dir, "limactl"), "TMPDIR="+dir) // they end with it
	h.ok("service", "create")
	return h, h.path("lima_home"), dir
}

func newLimaVM(namespace, name, source string) *limav1alpha1.LimaVM {
	return &limav1alpha1.LimaVM{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       limav1alpha1.LimaVMSpec{TemplateRef: limav1alpha1.TemplateReference{Name: source}},
	}
}

func newTemplate(namespace, name, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: map[string]string{"template": text}}
}

// waitVM waits until a LimaVM's condition Running has the reason.
func (h *home) waitVM(c ctrlclient.Client, vm *limav1alpha1.LimaVM, reason string) {
	h.t.Helper()
	h.eventually("the virtual machine is "+reason, func() (bool, string) {
		if err := c.Get(h.t.Context(), ctrlclient.ObjectKeyFromObject(vm), vm); err != nil {
			return false, err.Error()
		}
		running := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionRunning)
		return running != nil && running.Reason == reason, fmt.Sprintf("%+v", vm.Status)
	})
}

// TestVMOutlivesTheDaemon: neither a stop of the daemon nor its sudden end ends a
// virtual machine, or its boot; the next daemon adopts it.
func TestVMOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	h.ok("service", "start", "--controllers", "lima")
	stage.Set(t, limaHome, stage.Faults{BootMS: 3000})
	c := h.client()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Create(t.Context(), newTemplate("default", "source", limaTemplate)))
	vm := newLimaVM("default", "rd", "source")
	must(c.Create(t.Context(), vm))
	h.waitVM(c, vm, limav1alpha1.ReasonStarting)
	h.eventually("it boots", func() (bool, string) {
		_, err := os.Stat(filepath.Join(limaHome, "rd", "ha.pid"))
		return err == nil, fmt.Sprint(err)
	})
	h.kill()
	h.ok("service", "start", "--controllers", "lima")
	h.waitVM(h.client(), vm, limav1alpha1.ReasonStarted)
	h.ok("service", "stop")
	calls := stage.Calls(t, limaHome)
	h.ok("service", "start", "--controllers", "lima")
	c = h.client()
	before := vm.DeepCopy()
	vm.Spec.Params = map[string]string{"ENGINE": "moby"} // as it is already
	must(c.Patch(t.Context(), vm, ctrlclient.MergeFrom(before)))
	h.eventually("the daemon has looked at it", func() (bool, string) {
		must(c.Get(t.Context(), ctrlclient.ObjectKeyFromObject(vm), vm))
		return vm.Status.ObservedGeneration == vm.Generation, fmt.Sprintf("%+v", vm.Status)
	})
	if now := stage.Calls(t, limaHome); !slices.Equal(now, calls) || vm.Status.RestartCount != 0 {
		t.Errorf("it was not left alone: %q, before %q; %+v", now, calls, vm.Status)
	}
	must(c.Delete(t.Context(), vm))
	h.eventually("it is gone", func() (bool, string) {
		err := c.Get(t.Context(), ctrlclient.ObjectKeyFromObject(vm), vm)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	copied := &corev1.ConfigMap{}
	h.eventually("its template is gone", func() (bool, string) {
		err := c.Get(t.Context(), ctrlclient.ObjectKey{Namespace: "default", Name: "rd-template"}, copied)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// TestDeleteEndsVMs: what runs does not outlive its disk.
func TestDeleteEndsVMs(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	h.ok("service", "start", "--controllers", "lima")
	c := h.client()
	vm := newLimaVM("default", "rd", "source")
	for _, object := range []ctrlclient.Object{newTemplate("default", "source", limaTemplate), vm} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	h.waitVM(c, vm, limav1alpha1.ReasonStarted)
	stage.Set(t, limaHome, stage.Faults{DeleteFails: "it is protected"})
	h.fails(1, []string{"virtual machine rd", "it is protected"}, "service", "delete", "--yes")
	stage.Set(t, limaHome, stage.Faults{})
	data, err := os.ReadFile(filepath.Join(limaHome, "rd", "ha.pid"))
	if err == nil {
		t.Errorf("it runs on, as process %s", data)
	}
	h.ok("service", "delete", "--yes")
	if _, err := os.Stat(limaHome); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
}

// TestLimaVMAdmission: what can't become a virtual machine is refused, with the
// field and the reason, and a dry run leaves nothing behind. So in the daemon, and
// by a program of its own.
func TestLimaVMAdmission(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{false, true} {
		t.Run(fmt.Sprint("external ", external), func(t *testing.T) {
			t.Parallel()
			h, limaHome, temporary := newLimaHome(t)
			selection := "lima"
			if external {
				selection = ""
			}
			h.ok("service", "start", "--controllers", selection)
			if external {
				h.spawn("lima-controller")
				h.runs("lima", "limavm")
			}
			checkLimaAdmission(t, h, limaHome, temporary)
		})
	}
}

// TestTemporaryDirectoriesOfLima: a controller that ends while limactl checks a
// template leaves nothing in the temporary folder; one that is killed leaves what the
// next one removes.
func TestTemporaryDirectoriesOfLima(t *testing.T) {
	t.Parallel()
	h, limaHome, temporary := newLimaHome(t)
	h.ok("service", "start", "--controllers", "")
	left := func() int {
		found, err := filepath.Glob(filepath.Join(temporary, "rdd-lima-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	controller := h.spawn("lima-controller")
	h.runs("lima", "limavm")
	stage.Set(t, limaHome, stage.Faults{ValidateMS: 120_000})
	c := h.client()
	if err := c.Create(t.Context(), newTemplate("default", "source", limaTemplate)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var creating sync.WaitGroup
	defer creating.Wait()
	defer cancel()
	checked := func(name string) {
		creating.Go(func() { _ = c.Create(ctx, newLimaVM("default", name, "source")) })
		h.eventually("limactl checks the template", func() (bool, string) { return left() > 0, "no directory" })
	}
	checked("a")
	if err := controller.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-controller.done
	if n := left(); n != 0 {
		t.Errorf("a controller that ended left %d directories", n)
	}

	controller = h.spawn("lima-controller")
	h.runs("lima", "limavm")
	checked("b")
	_ = controller.cmd.Process.Kill()
	<-controller.done
	if left() == 0 {
		t.Fatal("a controller that was killed left nothing: nothing is tested")
	}
	h.spawn("lima-controller")
	h.eventually("the next one removes it", func() (bool, string) { return left() == 0, fmt.Sprint(left()) })
}

func checkLimaAdmission(t *testing.T, h *home, limaHome, temporary string) {
	t.Helper()
	c := h.client()
	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if _, err := h.kubernetes().CoreV1().Namespaces().Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, object := range []ctrlclient.Object{
		newTemplate("default", "source", limaTemplate), newTemplate("other", "source", limaTemplate),
		newTemplate("default", "bad", "images: ["), newTemplate("default", "rejected", "message: "+stage.Rejected),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "empty", Namespace: "default"}},
	} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	dry := newLimaVM("default", "dry", "source")
	if err := c.Create(t.Context(), dry, ctrlclient.DryRunAll); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	good := newLimaVM("default", "good", "source")
	good.Spec.Running = ptr.To(false)
	if err := c.Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	params := newLimaVM("default", "params", "source")
	params.Spec.Params = map[string]string{"OTHER": "x"}
	for what, test := range map[string]struct {
		vm    *limav1alpha1.LimaVM
		words string
	}{
		"a name that is taken":     {newLimaVM("other", "good", "source"), "must be unique"},
		"a name that is too long":  {newLimaVM("default", strings.Repeat("a", 62), "source"), "characters shorter"},
		"a name of Lima's":         {newLimaVM("default", "a--b", "source"), "one that Lima takes"},
		"no template":              {newLimaVM("default", "a", "nowhere"), "nowhere"},
		"no key":                   {newLimaVM("default", "a", "empty"), "no key template"},
		"no YAML":                  {newLimaVM("default", "a", "bad"), "unmarshal"},
		"a template that is wrong": {newLimaVM("default", "a", "rejected"), "field `images` must be set"},
		"an unknown parameter":     {params, "ENGINE"},
	} {
		if err := c.Create(t.Context(), test.vm); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.waitVM(c, good, limav1alpha1.ReasonStopped)
	changed := good.DeepCopy()
	changed.Spec.TemplateRef.Name = "other"
	if err := c.Update(t.Context(), changed); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("another template: %v", err)
	}
	if calls := stage.Calls(t, limaHome); len(calls) != 1 {
		t.Errorf("limactl was asked %q", calls)
	}
	if left, err := filepath.Glob(filepath.Join(temporary, "rdd-lima-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
