// SPDX-License-Identifier: Apache-2.0

// Package dockerview shows mirrors as the docker command shows the objects of its
// engine: with its filters, its order, its columns, and the fields of its templates. The
// column ENGINE and, if a mirror has a problem, the column PROBLEM are added.
//
// The template engine and the formats are Docker's own; the filters, which Docker's
// engine applies, are implemented here.
package dockerview

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/cli/templates"
	"golang.org/x/sync/errgroup"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// Options select and format objects, as the flags of Docker's commands do.
type Options struct {
	// All includes stopped containers, or untagged images.
	All bool
	// Quiet prints only IDs.
	Quiet bool
	// Full disables truncation.
	Full bool
	// Digests adds the digests of images.
	Digests bool
	// Last limits containers to the newest; 0 or less is no limit.
	Last    int
	Filters Filters
	// Format is a template, "table" with or without one, "raw" or "json"; empty for
	// the default table.
	Format string
	// Wide adds columns to the default table.
	Wide bool
	// Sort is the field to sort by, after a minus sign in reverse order; empty for
	// Docker's order.
	Sort string
}

// Kind is a kind of mirror and how Docker lists it.
type Kind struct {
	// Table is the same kind for [listing.Lister.Watch].
	Table listing.Table
	// Filters that the objects answer, and why they do not answer others of Docker's.
	filters    []string
	unanswered map[string]string
	// check validates the values of filters.
	check func(Filters) error
	// reads are the tables that a selection needs, the kind's own among them.
	reads []listing.Table
	// choose returns the rows for the options, in Docker's order.
	choose func(*world, *Options) ([]row, error)
	// blank is a row without an object, with the headers.
	blank  func(*Options) row
	format func(source string, o *Options) formatter.Format
	wide   string
	sorts  map[string]func(a, b row) int
}

// row is a line of a list: its exported methods are the fields of templates.
type row interface {
	formatter.SubContext
	object() client.Object
}

// world has the mirrors that a selection needs.
type world struct {
	now        time.Time
	containers []containersv1alpha1.Container
	images     []containersv1alpha1.Image
	volumes    []containersv1alpha1.Volume
	problem    func(client.Object) string
}

// Filters returns the names of the filters.
func (k *Kind) Filters() []string { return k.filters }

// Sorts returns the names of the fields to sort by.
func (k *Kind) Sorts() []string { return slices.Sorted(maps.Keys(k.sorts)) }

// Check returns the error of invalid options.
func (k *Kind) Check(o *Options) error {
	if err := o.Filters.check(k); err != nil {
		return err
	}
	if field := strings.TrimPrefix(o.Sort, "-"); field != "" && k.sorts[field] == nil {
		return fmt.Errorf("can't sort by %q: must be one of %s", field, strings.Join(k.Sorts(), ", "))
	}
	return k.checkFormat(o)
}

// checkFormat executes the template without an object.
func (k *Kind) checkFormat(o *Options) error {
	source := strings.TrimPrefix(o.Format, formatter.TableFormatKey)
	tmpl, err := templates.Parse(source)
	if err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	if err := tmpl.Execute(io.Discard, k.blank(o)); err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	return nil
}

// Selection is what the options select of a kind.
type Selection struct {
	kind    *Kind
	options *Options
	rows    []row
	problem func(client.Object) string
}

// Select reads the mirrors of a lister's scope and selects those of the options, which
// must be valid.
func (k *Kind) Select(ctx context.Context, l *listing.Lister, o *Options) (*Selection, error) {
	w, err := k.read(ctx, l)
	if err != nil {
		return nil, err
	}
	rows, err := k.choose(w, o)
	if err != nil {
		return nil, err
	}
	if field, reverse := strings.CutPrefix(o.Sort, "-"); field != "" {
		slices.SortStableFunc(rows, func(a, b row) int {
			if reverse {
				a, b = b, a
			}
			return k.sorts[field](a, b)
		})
	}
	return &Selection{kind: k, options: o, rows: rows, problem: l.Problem}, nil
}

// read reads the lists that a selection needs, at the same time.
func (k *Kind) read(ctx context.Context, l *listing.Lister) (*world, error) {
	w := &world{now: l.Clock.Now(), problem: l.Problem}
	group, ctx := errgroup.WithContext(ctx)
	for _, table := range k.reads {
		group.Go(func() error {
			list, err := l.List(ctx, table)
			switch list := list.(type) {
			case *containersv1alpha1.ContainerList:
				w.containers = list.Items
			case *containersv1alpha1.ImageList:
				w.images = list.Items
			case *containersv1alpha1.VolumeList:
				w.volumes = list.Items
			}
			return err
		})
	}
	return w, group.Wait()
}

// Objects returns the selected mirrors, each once.
func (s *Selection) Objects() []client.Object {
	var objects []client.Object
	known := map[string]bool{}
	for _, r := range s.rows {
		obj := r.object()
		if key := obj.GetNamespace() + "/" + obj.GetName(); !known[key] {
			known[key] = true
			objects = append(objects, obj)
		}
	}
	return objects
}

// List returns the selected mirrors as a list of their kind.
func (s *Selection) List() (client.ObjectList, error) {
	list := s.kind.Table.NewList()
	items := s.Objects()
	return list, apimeta.SetList(list, runtimeObjects(items))
}

// Print prints the selected mirrors in the format of the options.
func (s *Selection) Print(w io.Writer) error {
	out := formatter.Context{Output: w, Format: s.format(), Trunc: !s.options.Full}
	return out.Write(s.kind.blank(s.options), func(format func(formatter.SubContext) error) error {
		for _, r := range s.rows {
			if err := format(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// format returns the template. The default table has the columns of RDD, too.
func (s *Selection) format() formatter.Format {
	source := s.options.Format
	if source != "" && source != formatter.TableFormatKey || s.options.Quiet {
		if source == "" {
			source = formatter.TableFormatKey
		}
		return s.kind.format(source, s.options)
	}
	format := s.kind.format(formatter.TableFormatKey, s.options) + "\t{{.Engine}}"
	if s.options.Wide {
		format += formatter.Format(s.kind.wide)
	}
	if slices.ContainsFunc(s.rows, func(r row) bool { return s.problem(r.object()) != "" }) {
		format += "\t{{.Problem}}"
	}
	return format
}

// common is what the rows of all kinds have.
type common struct {
	formatter.HeaderContext
	obj     client.Object
	full    bool
	now     time.Time
	problem func(client.Object) string
}

func (c *common) object() client.Object { return c.obj }

// Engine is the namespace and the name of the mirror's ContainerEngine.
func (c *common) Engine() string { return text(listing.EngineOf(c.obj)) }

// Problem describes what failed for the object, empty for nothing.
func (c *common) Problem() string {
	if c.problem == nil {
		return ""
	}
	return c.problem(c.obj)
}

// id returns an ID, truncated unless the options say otherwise.
func (c *common) id(id string) string {
	if c.full {
		return text(id)
	}
	return text(formatter.TruncateID(id))
}

// headers returns a row's headers with those of RDD's own fields.
func headers(own formatter.SubHeaderContext) formatter.HeaderContext {
	own["Engine"], own["Problem"] = "ENGINE", "PROBLEM"
	return formatter.HeaderContext{Header: own}
}

// text makes text of an engine safe to show.
func text(s string) string { return printable.Text(s, 0) }

// joined formats labels as Docker does.
func joined(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for key, value := range labels {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return text(strings.Join(parts, ","))
}
