// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
)

var update = flag.Bool("update", false, "write down the templates of testdata")

// minimal returns options for a host without optional ones.
func minimal(hostOS string) Options {
	return Options{
		HostOS:       hostOS,
		Engine:       EngineMoby,
		CPUs:         2,
		Memory:       resource.MustParse("4Gi"),
		Disk:         resource.MustParse("100Gi"),
		DockerSocket: "/home/u/.rd2/docker.sock",
	}
}

// full returns options for a host with all optional ones.
func full(hostOS, image string) Options {
	return Options{
		HostOS: hostOS,
		Engine: EngineContainerd,
		CPUs:   8,
		Memory: resource.MustParse("6.5Gi"),
		Disk:   resource.MustParse("30G"),
		Mounts: []Mount{
			{Location: "~"},
			{Location: "/srv/a b: c", MountPoint: "/mnt/data", Writable: true},
		},
		Image:            image,
		DockerSocket:     "/home/u/.rd2/docker.sock",
		ContainerdSocket: "/home/u/.rd2/containerd.sock",
	}
}

// goldens are the expected templates, by the name of their file.
func goldens() map[string]Options {
	digest := "#sha256:" + strings.Repeat("0a", 32)
	return map[string]Options{
		"linux":        minimal("linux"),
		"linux-full":   full("linux", "/var/images/vm.qcow2"),
		"darwin":       minimal("darwin"),
		"darwin-full":  full("darwin", "https://example.com/vm.qcow2"+digest),
		"windows-full": full("windows", `C:\images\root.tar.xz`+digest),
	}
}

func TestGolden(t *testing.T) {
	for name, options := range goldens() {
		t.Run(name, func(t *testing.T) {
			got, err := Template(options)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the template is not the one written down (go test ./internal/lima/template -update):\n%s", diff)
			}
			if again, _ := Template(options); !bytes.Equal(got, again) {
				t.Error("equal options gave another template")
			}
		})
	}
}

// The guest has only the directories that were requested.
func TestNoMountsByDefault(t *testing.T) {
	got, err := Template(minimal("linux"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got, []byte("\nmounts:")) {
		t.Errorf("the guest sees directories of the host that the user did not ask for:\n%s", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"system", func(o *Options) { o.HostOS = "plan9" }, "not supported on plan9"},
		{"engine", func(o *Options) { o.Engine = "podman" }, `container engine "podman"`},
		{"cpus", func(o *Options) { o.CPUs = 0 }, "cpus 0"},
		{"memory", func(o *Options) { o.Memory = resource.Quantity{} }, "memory 0"},
		{"negative disk", func(o *Options) { o.Disk = resource.MustParse("-1Gi") }, "disk -1Gi"},
		{"no socket", func(o *Options) { o.DockerSocket = "" }, "no socket"},
		{"relative image", func(o *Options) { o.Image = "vm.qcow2" }, "absolute path"},
		{"Windows without an image", func(o *Options) { o.HostOS = "windows" }, "WSL 2 has no built-in image"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := minimal("linux")
			test.change(&o)
			got, err := Template(o)
			if err == nil || !strings.Contains(err.Error(), test.want) || got != nil {
				t.Errorf("got the error %v, want one with %q, and no template", err, test.want)
			}
		})
	}
}

func TestParseImage(t *testing.T) {
	sha256, sha512 := "sha256:"+strings.Repeat("ab", 32), "sha512:"+strings.Repeat("cd", 64)
	for _, test := range []struct {
		os, in string
		want   image
		err    string
	}{
		{"linux", "/a/b.qcow2", image{Location: "/a/b.qcow2"}, ""},
		{"linux", "~/b.qcow2", image{Location: "~/b.qcow2"}, ""},
		{"linux", "/a/b.qcow2#" + sha256, image{Location: "/a/b.qcow2", Digest: sha256}, ""},
		{"linux", "/a#1/b#2", image{Location: "/a#1/b#2"}, ""},
		{"linux", "/a#1/b#" + sha512, image{Location: "/a#1/b", Digest: sha512}, ""},
		{"linux", "https://h/b?x=1#" + sha256, image{Location: "https://h/b?x=1", Digest: sha256}, ""},
		{"linux", "file:///a/b", image{Location: "file:///a/b"}, ""},
		{"linux", "http://h/b", image{Location: "http://h/b"}, ""},
		{"linux", "/a#sha256:abc", image{}, "digest"},
		{"linux", "/a#sha256:" + strings.Repeat("AB", 32), image{}, "digest"},
		{"linux", "/a#sha1:" + strings.Repeat("ab", 20), image{}, "digest"},
		{"linux", "/a#sha512:" + strings.Repeat("ab", 32), image{}, "digest"},
		{"linux", "a/b.qcow2", image{}, "absolute path"},
		{"linux", "#" + sha256, image{}, "absolute path"},
		{"linux", "https:///b", image{}, "absolute path"},
		{"linux", "ftp://h/b", image{}, "absolute path"},
		{"linux", `C:\b.tar`, image{}, "absolute path"},
		{"windows", `C:\b.tar#` + sha256, image{Location: `C:\b.tar`, Digest: sha256}, ""},
		{"windows", `\\server\share\b.tar`, image{Location: `\\server\share\b.tar`}, ""},
		{"windows", `c:/b.tar`, image{Location: `c:/b.tar`}, ""},
		{"windows", `/b.tar`, image{}, "absolute path"},
	} {
		t.Run(test.os+" "+test.in, func(t *testing.T) {
			got, err := parseImage(test.in, test.os)
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %+v and the error %v, want one with %q", got, err, test.err)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]string{
		"4Gi":        "4GiB",
		"4096Mi":     "4GiB",
		"1536Mi":     "1536MiB",
		"0.5Gi":      "512MiB",
		"4G":         "3815MiB", // 3814.7
		"1":          "1MiB",
		"1Ti":        "1024GiB",
		"2147483649": "2049MiB",
	} {
		if got, err := Size("memory", resource.MustParse(in)); err != nil || got != want {
			t.Errorf("%s: got %s and the error %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"0", "-4Gi", "8Ei"} {
		if got, err := Size("memory", resource.MustParse(in)); err == nil {
			t.Errorf("%s: got %s, want an error", in, got)
		}
	}
}

// Lima expands {{…}} in scripts: only the user's name may be meant.
func TestScriptsAreNoTemplates(t *testing.T) {
	for name, script := range map[string]string{"engine.sh": engineScript, "ready.sh": readyScript} {
		if rest := strings.ReplaceAll(script, "{{.User}}", ""); strings.Contains(rest, "{{") {
			t.Errorf("%s has a {{ that Lima would expand", name)
		}
		if !strings.HasPrefix(script, "#!/bin/sh\n") {
			t.Errorf("%s does not begin with its interpreter", name)
		}
		if strings.Contains(script, "\t") {
			t.Errorf("%s has tabs, with which YAML is no block that a user can read", name)
		}
	}
}
