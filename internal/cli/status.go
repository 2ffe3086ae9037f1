// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

const statusTimeout = 10 * time.Second

// status is what `rdd status -o json` prints.
type status struct {
	Service *serviceStatus `json:"service"`
	App     *appStatus     `json:"app,omitempty"`
	Engines []engineStatus `json:"engines,omitempty"`
}

type appStatus struct {
	Running    bool               `json:"running"`
	Endpoint   string             `json:"endpoint,omitempty"`
	Conditions []metav1.Condition `json:"conditions"`
}

type engineStatus struct {
	Namespace string                                   `json:"namespace"`
	Name      string                                   `json:"name"`
	Spec      containersv1alpha1.ContainerEngineSpec   `json:"spec"`
	Status    containersv1alpha1.ContainerEngineStatus `json:"status"`
}

func (e *env) statusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the service, the App and the engines",
		Args:  command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), statusTimeout)
			defer cancel()
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			status, err := readStatus(ctx, inst)
			if err != nil {
				return err
			}
			if output == "" {
				e.printStatus(status)
				return nil
			}
			return printAs(e.Stdout, output, status)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

// readStatus starts nothing: a daemon that does not run is a status too.
func readStatus(ctx context.Context, inst *instance.Instance) (*status, error) {
	serviceStatus, err := readServiceStatus(inst)
	if err != nil {
		return nil, err
	}
	s := &status{Service: serviceStatus}
	if !serviceStatus.Ready {
		return s, nil
	}
	c, err := client.New(inst.ConfigFile())
	if err != nil {
		return nil, err
	}
	session := &appSession{ctx: ctx, client: c}
	app, err := session.get()
	if err != nil {
		return nil, err
	}
	if app != nil {
		s.App = &appStatus{Running: app.Spec.Running, Endpoint: app.Spec.ContainerEngine.Endpoint, Conditions: app.Status.Conditions}
	}
	var engines containersv1alpha1.ContainerEngineList
	if err := c.List(ctx, &engines); err != nil {
		return nil, err
	}
	for _, engine := range engines.Items {
		s.Engines = append(s.Engines, engineStatus{engine.Namespace, engine.Name, engine.Spec, engine.Status})
	}
	return s, nil
}

func (e *env) printStatus(s *status) {
	e.printServiceStatus(s.Service)
	row := func(name string, value any) { _, _ = fmt.Fprintf(e.Stdout, "%-12s %v\n", name, value) }
	if !s.Service.Ready {
		return
	}
	if s.App == nil {
		row("App", "none; `rdd set running=true containerEngine.endpoint=…` makes one")
	} else {
		row("App", map[bool]string{true: "to run", false: "stopped"}[s.App.Running])
		for _, condition := range s.App.Conditions {
			row("  "+condition.Type, fmt.Sprintf("%s, %s: %s", condition.Status, condition.Reason, condition.Message))
		}
	}
	for _, engine := range s.Engines {
		row("Engine", fmt.Sprintf("%s/%s at %s", engine.Namespace, engine.Name, engine.Spec.Endpoint))
		for _, condition := range engine.Status.Conditions {
			row("  "+condition.Type, fmt.Sprintf("%s, %s: %s", condition.Status, condition.Reason, condition.Message))
		}
		row("  Mirrors", fmt.Sprintf("%d containers, %d images, %d volumes",
			engine.Status.Containers, engine.Status.Images, engine.Status.Volumes))
	}
}
