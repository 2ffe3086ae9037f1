// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// Print writes the status for a terminal.
func (s *Status) Print(w io.Writer) error {
	var text strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-10s %s\n", name, printable.Text(fmt.Sprintf(format, args...), 0))
	}
	row("Instance", "%s", s.Service.Instance)
	row("Service", "%s", ServiceLine(s.Service))
	if s.answered {
		s.printApp(row)
	}
	for _, e := range s.Engines {
		row("Engine", "%s/%s at %s: %s", e.Namespace, e.Name, e.Spec.Endpoint, engineLine(e))
		if e.Status.EngineID != "" {
			row("", "%s, %s, %s", counted(e.Status.Containers, "container"), counted(e.Status.Images, "image"), counted(e.Status.Volumes, "volume"))
		}
	}
	if c := s.Contexts; c != nil {
		row("Docker", "%s", contextLine(c))
	}
	if d := s.Disk; d != nil {
		line := fmt.Sprintf("%s of %s free", diagnostics.Size(d.Free), diagnostics.Size(d.Total))
		if s.Store != nil {
			line += ", store " + diagnostics.Size(s.Store.Size)
		}
		if d.ReadOnly {
			line += ", read-only"
		}
		row("Disk", "%s (%s)", line, d.Path)
	}
	if len(s.Diagnostics) == 0 {
		row("Problems", "none")
	}
	for _, f := range s.Diagnostics {
		fmt.Fprintf(&text, "\n%s: %s (%s, %s)\n  %s\n  What to do: %s\n", f.Severity, f.Title, f.Code, f.Subject, f.Message, f.Remedy)
	}
	_, err := io.WriteString(w, printable.Lines(text.String(), 0))
	return err
}

// ServiceLine describes the state of a daemon in a line.
func ServiceLine(s *service.Status) string {
	line := stateLine(s)
	if s.Enabled != nil {
		line += fmt.Sprintf("; starts at %s", s.Enabled.At)
	}
	return line
}

func stateLine(s *service.Status) string {
	switch {
	case !s.Created:
		return "not created: use `rdd start` or `rdd set` to create it"
	case !s.Started && s.Failure != nil:
		return "ended by itself"
	case !s.Started:
		return "stopped"
	case s.PID == 0:
		return "starting"
	case s.Stopping:
		return fmt.Sprintf("stopping (process %d, rdd %s)", s.PID, s.Version)
	}
	line := fmt.Sprintf("starting, waiting for %s", s.Waiting)
	if s.Ready {
		line = fmt.Sprintf("ready, up for %s", time.Duration(s.Uptime)*time.Second)
	}
	line += fmt.Sprintf(" (process %d, rdd %s", s.PID, s.Version)
	if s.Memory > 0 {
		line += fmt.Sprintf(", %d MB", s.Memory/1e6)
	}
	if s.Address != "" {
		line += ", https://" + s.Address
	}
	return line + ")"
}

func (s *Status) printApp(row func(name, format string, args ...any)) {
	if s.App == nil {
		row("App", "none: use `rdd start` to create it")
		return
	}
	desired := map[bool]string{true: "running", false: "stopped"}[s.App.Running]
	row("App", "desired state %s: %s", desired, s.conditionLine(apimeta.FindStatusCondition(s.App.Conditions, appv1alpha1.ConditionSettled)))
	if !s.VM.Wanted {
		row("VM", "none: the App uses an existing engine")
		return
	}
	row("VM", "%s", s.conditionLine(s.VM.Running))
}

// conditionLine omits the message of a condition if there are findings, which have it.
func (s *Status) conditionLine(c *metav1.Condition) string {
	switch {
	case c == nil:
		return "not reported yet"
	case c.Status != metav1.ConditionTrue && len(s.Diagnostics) > 0, c.Message == "" || strings.EqualFold(c.Message, c.Reason):
		return c.Reason
	}
	return c.Reason + ", " + c.Message
}

func engineLine(e Engine) string {
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return "not reported yet"
	case ready.Status == metav1.ConditionTrue:
		line := fmt.Sprintf("%s, %s %s", ready.Reason, e.Spec.Type, e.Status.Version)
		if failed := e.Status.Failed; failed > 0 {
			line += fmt.Sprintf("; problems: %d", failed) // the findings list them
		}
		return line
	case ready.Reason == containersv1alpha1.ReasonConnecting && ready.Message != "":
		if _, progress, ok := strings.Cut(ready.Message, ": "); ok {
			return ready.Reason + ": " + progress
		}
	}
	return ready.Reason // the findings have the message
}

func contextLine(c *Contexts) string {
	line := "current context " + c.Current
	switch {
	case c.Name == "":
		line += "; this instance has no context"
	case c.Name != c.Current:
		line += "; this instance's context " + c.Name
	}
	if c.Overridden != "" {
		line += "; overridden by " + c.Overridden
	}
	return line
}

// counted returns a number with a noun in the singular or plural.
func counted(n int32, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
