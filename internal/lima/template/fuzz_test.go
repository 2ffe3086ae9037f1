// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func FuzzImage(f *testing.F) {
	for _, seed := range []string{"/a.qcow2", "~/a", "https://h/a#sha256:" + strings.Repeat("a", 64), "file:///a", "/a#b", "http://", "C:\\a", "#sha256:", "https://h/#sha512:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, os := range []string{"linux", "windows"} {
			i, err := parseImage(text, os)
			if err != nil {
				continue
			}
			joined := i.Location
			if i.Digest != "" {
				joined += "#" + i.Digest
			}
			if i.Location == "" || joined != text {
				t.Errorf("%q is %+v", text, i)
			}
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("linux", EngineMoby, int32(2), "4Gi", "100Gi", "~", "/mnt/x", "/image.qcow2", "/run/a.sock", "/run/b.sock")
	f.Add("darwin", EngineContainerd, int32(1), "1", "1e30", "/a: b\n- c", "{{.Dir}}", "", "", "")
	f.Add("windows", EngineMoby, int32(1<<31-1), "-1", "0", "", "", "C:\\x", `C:\a`, "x")
	f.Fuzz(func(t *testing.T, hostOS, engine string, cpus int32, memory, disk, location, point, image, docker, containerd string) {
		o := Options{HostOS: hostOS, Engine: engine, CPUs: cpus, Mounts: []Mount{{Location: location, MountPoint: point}}, Image: image, DockerSocket: docker, ContainerdSocket: containerd}
		var err error
		if o.Memory, err = resource.ParseQuantity(memory); err != nil {
			t.Skip()
		}
		if o.Disk, err = resource.ParseQuantity(disk); err != nil {
			t.Skip()
		}
		text, err := Template(o)
		if err != nil {
			return
		}
		again, err := Template(o)
		if err != nil || !bytes.Equal(text, again) {
			t.Errorf("equal options give other bytes: %v", err)
		}
		// The user's settings stay values, and add no field.
		var fields map[string]any
		if err := yaml.UnmarshalStrict(text, &fields); err != nil {
			t.Fatalf("it is no YAML: %v:\n%s", err, text)
		}
		if fields["minimumLimaVersion"] != "2.0.0" {
			t.Errorf("the version is %v", fields["minimumLimaVersion"])
		}
	})
}
