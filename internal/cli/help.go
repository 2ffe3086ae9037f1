// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/status"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// columns is how wide a help is.
const columns = 80

// group is commands that the help lists together.
type group struct {
	id, title string
	commands  []string
}

// groups are the groups of the help, in its order. A command that no group has is one of
// the last.
func groups() []group {
	return []group{
		{"start", "Get started:", []string{"start", "stop", "status", "set", "get", "env", "list"}},
		{"containers", "Containers:", []string{
			"ps", "images", "volumes", "networks", "logs", "exec", "run", "docker", "nerdctl", "container", "image", "volume", "network", "rm", "rmi", "restart",
			"pause", "unpause", "kill", "inspect", "cp", "port", "events", "top", "df", "prune", "pull", "push", "build",
		}},
		{"machine", "Virtual machine:", []string{"shell", "limavm", "reset"}},
		{"kubernetes", "Kubernetes:", []string{"ctl", "kubectl", "helm", "kubernetes"}},
		{"daemon", "Daemon:", []string{"service", "diagnose", "delete", "uninstall", "upgrade"}},
		{"other", "Other:", nil},
	}
}

// groupCommands puts the commands of rdd into their groups.
func groupCommands(root *cobra.Command) {
	all := groups()
	last := all[len(all)-1].id
	of := map[string]string{}
	for _, g := range all {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range g.commands {
			of[name] = g.id
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.GroupID = of[cmd.Name()]; cmd.GroupID == "" {
			cmd.GroupID = last
		}
	}
	root.SetHelpCommandGroupID(last)
}

// setHelp makes helps as wide as columns.
func setHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("wrapText", wrap)
	root.SetHelpTemplate(strings.ReplaceAll(root.HelpTemplate(), "trimTrailingWhitespaces", "wrapText"))
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages", fmt.Sprintf("Flags.FlagUsagesWrapped %d", columns)))
}

// wrap breaks the lines of a text where they are too long, paragraph by paragraph. Lines
// that begin with a space stay as they are.
func wrap(text string) string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
	}
	for part := range strings.Lines(text) {
		part = strings.TrimRight(part, " \n")
		if part == "" || strings.HasPrefix(part, " ") {
			flush()
			lines = append(lines, part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > columns {
				flush()
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
	}
	flush()
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// printFirst prints what a user needs who calls rdd without a command: the commands that
// matter, and how the instance is. Nothing is started.
func (e *env) printFirst() error {
	table := tabwriter.NewWriter(e.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprint(table, "rdd mirrors the containers of an engine into Kubernetes objects.\n\n")
	for _, row := range [][2]string{
		{"rdd start", "Connect to the engine that is there, or start one"},
		{"rdd ps", "List containers"},
		{"rdd docker …", "Run docker for this engine"},
		{"rdd ctl get containers", "List them as Kubernetes objects"},
		{"rdd status", "Show what is running, and what is wrong"},
	} {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	now, err := service.ReadStatus(inst)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "\nInstance %s: %s\n`rdd help` lists all commands.\n", inst.Name(), status.ServiceLine(now))
	return err
}
