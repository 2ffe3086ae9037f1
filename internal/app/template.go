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
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/template"
)

// madeFromAnnotation records, on the App's LimaVM, what its template was made from, so
// that a change of this machine or of rdd alone restarts nothing.
const madeFromAnnotation = "app.rancherdesktop.io/made-from"

// madeFrom is what a template was made from. Settings that the user left out are empty.
type madeFrom struct {
	CPUs   int32               `json:"cpus,omitempty"`
	Memory string              `json:"memory,omitempty"`
	Disk   string              `json:"disk,omitempty"`
	Mounts []appv1alpha1.Mount `json:"mounts,omitempty"`
	// Image is the user's setting. If it is empty, Source is the image from the
	// daemon's environment.
	Image  string `json:"image,omitempty"`
	Source string `json:"source,omitempty"`
	// Template is the digest of the template.
	Template string `json:"template"`
}

func (m madeFrom) String() string {
	data, err := json.Marshal(m)
	if err != nil {
		return "" // it can't fail: all fields can be encoded
	}
	return string(data)
}

// readMadeFrom returns what a LimaVM's template was made from, or the zero value if
// that is unknown.
func readMadeFrom(vm *limav1alpha1.LimaVM) madeFrom {
	var m madeFrom
	if json.Unmarshal([]byte(vm.Annotations[madeFromAnnotation]), &m) != nil {
		return madeFrom{}
	}
	return m
}

// same reports whether the user's settings are the same.
func (m madeFrom) same(other madeFrom) bool {
	m.Template, other.Template = "", ""
	return reflect.DeepEqual(m, other)
}

func digest(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

// rejectedError is an error that only a change of the spec can resolve.
type rejectedError struct{ error }

func (e *rejectedError) Unwrap() error { return e.error }

// conflictError reports an object of another owner with the name of an object of the App.
type conflictError struct{ kind, name, namespace string }

func (e *conflictError) Error() string {
	return fmt.Sprintf("there is a %s %s in the namespace %s that is not the App's: delete it", e.kind, e.name, e.namespace)
}

// refused turns a rejected LimaVM into a [rejectedError].
func refused(err error) error {
	if apierrors.IsInvalid(err) {
		return &rejectedError{err}
	}
	return err
}

// machines has the common settings of an instance's virtual machines.
type machines struct {
	// sockets has the paths of their engines' sockets on the host.
	sockets map[appv1alpha1.EngineName]string
	// image is the default image; empty for the built-in one.
	image string
	// cpus and memory, in bytes, are the defaults.
	cpus   int32
	memory int64
}

// newMachines returns the settings of an instance, nil in a cluster that is not RDD's.
func newMachines(inst *instance.Instance) *machines {
	if inst == nil {
		return nil
	}
	m := &machines{sockets: map[appv1alpha1.EngineName]string{}, image: os.Getenv(template.ImageEnv)}
	for _, engine := range traits.All() {
		if engine.Socket != "" {
			m.sockets[appv1alpha1.EngineName(engine.Type)] = inst.EngineSocket(engine.Socket)
		}
	}
	here := thisHost()
	m.memory = here.memory()
	if m.cpus, _ = here.cpus(); m.cpus == 0 { // admission reports the error
		m.cpus = 1
	}
	return m
}

// filledIn adds the defaults that admission has since written into the App to what a
// template was made from: they are no change.
func (m *machines) filledIn(previous, wanted madeFrom) madeFrom {
	if previous.CPUs == 0 && wanted.CPUs == m.cpus {
		previous.CPUs = wanted.CPUs
	}
	if previous.Memory == "" && wanted.Memory == quantity(m.memory).String() {
		previous.Memory = wanted.Memory
	}
	return previous
}

// template returns the template for an App, and what it is made from. fixed, which may
// be nil, is what the existing disk was made from.
func (m *machines) template(app *appv1alpha1.App, fixed *madeFrom) (text string, made madeFrom, err error) {
	spec := app.Spec.VirtualMachine
	made = madeFrom{CPUs: spec.CPUs, Mounts: spec.Mounts, Image: spec.Image}
	options := template.Options{
		HostOS:           runtime.GOOS,
		Engine:           template.EngineMoby, // a parameter of the LimaVM selects the engine
		CPUs:             spec.CPUs,
		Memory:           *quantity(m.memory),
		Disk:             resource.MustParse("100Gi"),
		DockerSocket:     m.sockets[template.EngineMoby],
		ContainerdSocket: m.sockets[template.EngineContainerd],
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
	options.Image = made.Image + made.Source // at most one is not empty
	data, err := template.Template(options)
	if err != nil {
		return "", made, &rejectedError{fmt.Errorf("virtualMachine: %w", err)}
	}
	made.Template = digest(string(data))
	return string(data), made, nil
}
