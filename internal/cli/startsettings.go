// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// startSettings are the flags of `rdd start` that are settings.
type startSettings struct {
	cpus, memory, disk, engine, endpoint string
	mounts                               []string
}

func addStartSettings(cmd *cobra.Command, s *startSettings) {
	flags := cmd.Flags()
	flags.StringVar(&s.cpus, "cpus", "", "the `number` of processors of the virtual machine")
	flags.StringVar(&s.memory, "memory", "", "the `size` of the memory of the virtual machine, as in 8Gi; a bare number is GiB")
	flags.StringVar(&s.disk, "disk", "", "the `size` of the disk of the virtual machine, as in 100Gi; a bare number is GiB")
	flags.StringVar(&s.engine, "engine", "", "the `name` of the engine: moby or containerd")
	flags.StringVar(&s.endpoint, "endpoint", "", "the `URL` of an engine that is there already, as in ssh://user@host; empty for the virtual machine's")
	flags.StringArrayVar(&s.mounts, "mount", nil, "a `DIR[:w]` of this machine that the virtual machine sees, with :w writable; may be repeated, and replaces those that were set")
	completeFlag(cmd, "engine", fixed(enginesOfMachines()...))
}

// machineProperties begins the names of the settings of the virtual machine.
const machineProperties = "virtualMachine."

// assignments returns the settings as `rdd set` takes them.
func (s *startSettings) assignments(cmd *cobra.Command) (assignments []string, err error) {
	for _, flag := range []struct{ name, property, value string }{
		{"cpus", machineProperties + "cpus", s.cpus},
		{"memory", machineProperties + "memory", gibibytes(s.memory)},
		{"disk", machineProperties + "disk", gibibytes(s.disk)},
		{"engine", "containerEngine.name", s.engine},
		{"endpoint", "containerEngine.endpoint", s.endpoint},
	} {
		if cmd.Flags().Changed(flag.name) {
			if flag.value == "" && flag.name != "endpoint" {
				return nil, command.Usage("--%s must not be empty", flag.name)
			}
			assignments = append(assignments, flag.property+"="+flag.value)
		}
	}
	if len(s.mounts) == 0 {
		return assignments, nil
	}
	mounts := make([]appv1alpha1.Mount, len(s.mounts))
	for i, text := range s.mounts {
		if mounts[i], err = parseMount(text); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(mounts)
	return append(assignments, machineProperties+"mounts="+string(data)), err
}

var bareNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// gibibytes returns a size in which a bare number is GiB. 0 stays: it stands for the
// default.
func gibibytes(size string) string {
	if bareNumber.MatchString(size) && strings.Trim(size, "0.") != "" {
		return size + "Gi"
	}
	return size
}

// parseMount parses DIR[:w]. A relative directory is one of the working directory.
func parseMount(text string) (appv1alpha1.Mount, error) {
	dir, writable := strings.CutSuffix(text, ":w")
	if dir == "" {
		return appv1alpha1.Mount{}, command.Usage("--mount %q: expected DIR or DIR:w", text)
	}
	if dir != "~" && !strings.HasPrefix(dir, "~/") {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return appv1alpha1.Mount{}, err
		}
		dir = absolute
	}
	return appv1alpha1.Mount{Location: dir, Writable: writable}, nil
}

// startWith starts with settings, in one write.
func (a *appSession) startWith(assignments []string, wait bool) error {
	if len(assignments) == 0 {
		return a.start(map[string]any{}, wait)
	}
	definition, err := a.client.AppProperties(a.ctx)
	if err != nil {
		return err
	}
	spec, err := definition.Parse(assignments)
	if err != nil {
		return err
	}
	return a.start(spec, wait)
}

// endpointIn returns the endpoint of the engine in a spec that is to be written, and
// whether it names one.
func endpointIn(spec map[string]any) (endpoint string, named bool) {
	engine, _ := spec["containerEngine"].(map[string]any)
	endpoint, named = engine["endpoint"].(string)
	return endpoint, named
}

// sayUnused says that settings of the virtual machine matter for none, as the engine is
// elsewhere.
func (a *appSession) sayUnused(spec map[string]any, endpoint string) {
	if _, sets := spec["virtualMachine"]; sets && endpoint != "" {
		a.sayNow("The settings of the virtual machine are saved, but the engine is at %s. To use the virtual machine: `rdd start --endpoint=`", endpoint)
	}
}

// enginesOfMachines returns the types of engines that RDD's virtual machine can run.
func enginesOfMachines() []string {
	var types []string
	for _, kind := range traits.All() {
		if kind.Socket != "" {
			types = append(types, string(kind.Type))
		}
	}
	return types
}
