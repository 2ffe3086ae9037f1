// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
)

// madeFromAnnotation says, on the App's LimaVM, what its template was made from:
// so that nothing is restarted because this machine, or this program, has become
// another one.
const madeFromAnnotation = "app.rancherdesktop.io/made-from"

// madeFrom is what a template was made from. What the user did not say is empty.
type madeFrom struct {
	CPUs   int32               `json:"cpus,omitempty"`
	Memory string              `json:"memory,omitempty"`
	Disk   string              `json:"disk,omitempty"`
	Mounts []appv1alpha1.Mount `json:"mounts,omitempty"`
	// Image is what the user said, and Source where that came from which was said
	// by no client: the environment of the daemon.
	Image  string `json:"image,omitempty"`
	Source string `json:"source,omitempty"`
	// Template is the digest of the template.
	Template string `json:"template"`
}

func (m madeFrom) String() string {
	data, err := json.Marshal(m)
	if err != nil {
		return "" // there is nothing in it that could not be written
	}
	return string(data)
}

// readMadeFrom returns what a LimaVM's template was made from, or nothing where
// that is not known.
func readMadeFrom(vm *limav1alpha1.LimaVM) madeFrom {
	var m madeFrom
	if json.Unmarshal([]byte(vm.Annotations[madeFromAnnotation]), &m) != nil {
		return madeFrom{}
	}
	return m
}

// same reports whether the user asked for the same.
func (m madeFrom) same(other madeFrom) bool {
	m.Template, other.Template = "", ""
	return reflect.DeepEqual(m, other)
}

func digest(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// rejectedError says that a spec can't be fulfilled, whatever is waited for.
type rejectedError struct{ error }

func (e *rejectedError) Unwrap() error { return e.error }

// conflictError says that an object of another owner has the name of one of the App's.
type conflictError struct{ kind, name, namespace string }

func (e *conflictError) Error() string {
	return fmt.Sprintf("there is a %s %s in the namespace %s that is not the App's: delete it", e.kind, e.name, e.namespace)
}

// refused turns the refusal of a LimaVM into a [rejectedError].
func refused(err error) error {
	if apierrors.IsInvalid(err) {
		return &rejectedError{err}
	}
	return err
}

// machines is what the virtual machines of an instance have in common.
type machines struct {
	dockerSocket, containerdSocket string
	// image is for those that name none; empty for the built-in one.
	image string
	// cpus and memory, in bytes, are for those that say none.
	cpus   int32
	memory int64
}

// newMachines returns those of an instance, nil for another cluster's.
func newMachines(inst *instance.Instance) *machines {
	if inst == nil {
		return nil
	}
	m := &machines{
		dockerSocket:     inst.DockerSocket(),
		containerdSocket: inst.ContainerdSocket(),
		image:            os.Getenv(template.ImageEnv),
	}
	here := thisHost()
	m.memory = here.memory()
	if m.cpus, _ = here.cpus(); m.cpus == 0 { // admission says why
		m.cpus = 1
	}
	return m
}

// filledIn returns what a template was made from, with the defaults that admission
// writes into an App since then: they are no change.
func (m *machines) filledIn(had, wanted madeFrom) madeFrom {
	if had.CPUs == 0 && wanted.CPUs == m.cpus {
		had.CPUs = wanted.CPUs
	}
	if had.Memory == "" && wanted.Memory == quantity(m.memory).String() {
		had.Memory = wanted.Memory
	}
	return had
}

// template returns the template that an App asks for, and what it is made from.
// fixed, which may be nil, says what the disk was made from that is there.
func (m *machines) template(app *appv1alpha1.App, fixed *madeFrom) (text string, made madeFrom, err error) {
	spec := app.Spec.VirtualMachine
	made = madeFrom{CPUs: spec.CPUs, Mounts: spec.Mounts, Image: spec.Image}
	options := template.Options{
		HostOS:           runtime.GOOS,
		Engine:           template.EngineMoby, // a parameter of the LimaVM says which it is
		CPUs:             spec.CPUs,
		Memory:           *quantity(m.memory),
		Disk:             resource.MustParse("100Gi"),
		DockerSocket:     m.dockerSocket,
		ContainerdSocket: m.containerdSocket,
	}
	if spec.CPUs == 0 {
		options.CPUs = m.cpus
	}
	if spec.Memory != nil && !spec.Memory.IsZero() {
		options.Memory, made.Memory = *spec.Memory, spec.Memory.String()
	}
	if spec.Disk != nil {
		options.Disk, made.Disk = *spec.Disk, spec.Disk.String()
	}
	for _, mount := range spec.Mounts {
		options.Mounts = append(options.Mounts, template.Mount(mount))
	}
	if spec.Image == "" {
		made.Source = m.image
	}
	if fixed != nil {
		made.Image, made.Source = fixed.Image, fixed.Source
	}
	options.Image = made.Image + made.Source // one of them is empty
	data, err := template.Template(options)
	if err != nil {
		return "", made, &rejectedError{fmt.Errorf("virtualMachine: %w", err)}
	}
	made.Template = digest(string(data))
	return string(data), made, nil
}
