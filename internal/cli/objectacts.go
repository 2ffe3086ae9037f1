// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/docker/cli/templates"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/acts"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/dockerview"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// objectKind is a kind of object as commands act on it by name.
type objectKind struct {
	name string // in help
	// find returns the mirrors that a user means by a name.
	find func(context.Context, *listing.Lister, string) ([]client.Object, error)
	// removable returns why the objects are not removed without force, nil if they are.
	removable func([]client.Object) error
	complete  func(*env, *listing.Scope) cobra.CompletionFunc
}

func imageObjects() *objectKind {
	return &objectKind{
		name: "image",
		find: func(ctx context.Context, l *listing.Lister, name string) ([]client.Object, error) {
			found, err := dockerview.FindImage(ctx, l, name)
			objects := make([]client.Object, len(found))
			for i, image := range found {
				objects[i] = image
			}
			return objects, err
		},
		removable: func(objects []client.Object) error {
			if len(objects) > 1 {
				return fmt.Errorf("the image has %d tags: remove each by name, or use --force", len(objects))
			}
			return nil
		},
	}
}

func volumeObjects() *objectKind {
	return &objectKind{
		name: "volume",
		find: func(ctx context.Context, l *listing.Lister, name string) ([]client.Object, error) {
			volume, err := dockerview.FindVolume(ctx, l, name)
			return []client.Object{volume}, err
		},
	}
}

// eachName calls do for each name at the same time. It prints the results in order: what
// do returns, or its error. It fails if one failed.
func (e *env) eachName(cmd *cobra.Command, l *listing.Lister, names []string, do func(ctx context.Context, a *appSession, name string) (string, error)) error {
	ctx, stop := e.UntilSignal(cmd.Context())
	defer stop()
	return e.withLister(ctx, l, func(session *appSession) error {
		session.progress.done()
		results, errs := make([]string, len(names)), make([]error, len(names))
		var group sync.WaitGroup
		for i, name := range names {
			group.Go(func() { results[i], errs[i] = do(ctx, session, name) })
		}
		group.Wait()
		for i, name := range names {
			if errs[i] != nil {
				e.Say("%s%s: %v", fault.Prefix, printable.Text(name, 0), errs[i])
				continue
			}
			if _, err := fmt.Fprintln(e.Stdout, results[i]); err != nil {
				return err
			}
		}
		if errors.Join(errs...) != nil {
			return &command.ExitError{Code: fault.ExitFailed}
		}
		return nil
	})
}

// someNames is a [cobra.PositionalArgs] for one or more names.
func someNames(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return command.Usage("requires at least one name; see `%s --help`", cmd.CommandPath())
	}
	return nil
}

// removeCommand removes objects; name is its name among its siblings.
func (e *env) removeCommand(kind *objectKind, name string, aliases ...string) *cobra.Command {
	var l listing.Lister
	var force bool
	cmd := &cobra.Command{
		Use:     name + " NAME...",
		Aliases: aliases,
		Short:   "Remove one or more " + kind.name + "s",
		Long: "Remove " + kind.name + `s from their engines by deleting their objects. What the engine does not
remove without --force is refused.`,
		Example: fmt.Sprintf("  rdd %s rm old\n  rdd %[1]s rm --force old older", kind.name),
		Args:    someNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachName(cmd, &l, args, func(ctx context.Context, a *appSession, name string) (string, error) {
				found, err := kind.find(ctx, &l, name)
				if err != nil {
					return "", err
				}
				if kind.removable != nil && !force {
					if err := kind.removable(found); err != nil {
						return "", err
					}
				}
				for _, obj := range found {
					if err := acts.Remove(ctx, a.client, obj, force); err != nil {
						return "", err
					}
				}
				return printable.Text(name, 0), nil
			})
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	e.completeNames(cmd, kind, &l.Scope)
	cmd.Flags().BoolVarP(&force, "force", "f", false, "remove it by force")
	return cmd
}

func (e *env) completeNames(cmd *cobra.Command, kind *objectKind, scope *listing.Scope) {
	if kind.complete != nil {
		cmd.ValidArgsFunction = kind.complete(e, scope)
	}
}

// inspectCommand prints objects as JSON, or by a template.
func (e *env) inspectCommand(kind *objectKind) *cobra.Command {
	var l listing.Lister
	var format string
	cmd := &cobra.Command{
		Use:   "inspect NAME...",
		Short: "Print the objects of " + kind.name + "s as JSON",
		Long: "Print the Kubernetes objects that mirror " + kind.name + `s as a JSON array, or each with a
template over its fields. The engine's own answer is that of ` + "`docker inspect`" + `.`,
		Example: fmt.Sprintf("  rdd %s inspect web\n  rdd %[1]s inspect --format '{{.status.name}}' web", kind.name),
		Args:    someNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			tmpl, err := templates.Parse(format)
			if err != nil {
				return command.Usage("--format: %v", err)
			}
			var all []client.Object
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			err = e.withLister(ctx, &l, func(session *appSession) error {
				session.progress.done()
				var failed bool
				for _, name := range args {
					objects, err := kind.find(ctx, &l, name)
					if err != nil {
						e.Say("%s%v", fault.Prefix, err)
						failed = true
						continue
					}
					all = append(all, objects...)
				}
				if failed {
					return &command.ExitError{Code: fault.ExitFailed}
				}
				return nil
			})
			if format == "" {
				return errors.Join(printJSON(e.Stdout, all), err)
			}
			for _, obj := range all {
				var text strings.Builder
				fields, convErr := asMap(obj)
				if convErr == nil {
					convErr = tmpl.Execute(&text, fields)
				}
				if convErr != nil {
					return command.Usage("--format: %v", convErr)
				}
				_, _ = fmt.Fprintln(e.Stdout, printable.Lines(text.String(), 0))
			}
			return err
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	e.completeNames(cmd, kind, &l.Scope)
	cmd.Flags().StringVarP(&format, "format", "f", "", "print each object with this `template`")
	return cmd
}

// under returns a command with the words for its place in its examples.
func under(words, instead string, cmd *cobra.Command) *cobra.Command {
	cmd.Example = strings.ReplaceAll(cmd.Example, "rdd "+instead, "rdd "+words)
	return cmd
}

// asMap returns the fields of an object as its JSON names them.
func asMap(obj client.Object) (map[string]any, error) {
	data, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	return fields, json.Unmarshal(data, &fields)
}

// imageCommand and volumeCommand are the groups of commands with Docker's names.
func (e *env) imageCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "List, inspect and remove images", Example: "  rdd image ls\n  rdd image rm registry.example.com/app:v1", Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(under("image ls", "images", e.imagesCommand("ls", "list")), e.removeCommand(imageObjects(), "rm", "remove"), e.inspectCommand(imageObjects()))
	return cmd
}

func (e *env) volumeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "volume", Short: "List, inspect and remove volumes", Example: "  rdd volume ls\n  rdd volume rm data", Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(under("volume ls", "volumes", e.volumesCommand("ls", "list")), e.removeCommand(volumeObjects(), "rm", "remove"), e.inspectCommand(volumeObjects()))
	return cmd
}
