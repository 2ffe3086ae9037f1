// SPDX-License-Identifier: Apache-2.0

// Package manifest installs RDD's CustomResourceDefinitions and CEL policies in an API
// server. It replaces RDD's own objects of the same or an older revision, and keeps
// newer ones. An object that is not RDD's own is an error.
package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"golang.org/x/sync/errgroup"
)

// RevisionAnnotation has the revision of a manifest, and marks it as RDD's own.
const RevisionAnnotation = "rdd.rancherdesktop.io/revision"

// Source is a YAML file.
type Source struct {
	Files fs.FS
	Path  string
	// Edit, which may be nil, changes a definition that was read.
	Edit func(*apiextensionsv1.CustomResourceDefinition)
}

func (s Source) read() ([]byte, error) { return fs.ReadFile(s.Files, s.Path) }

// Installer installs manifests in an API server.
type Installer struct {
	// REST connects to the API server.
	REST *rest.Config
	// Sole is whether the API server is RDD's own, without peers: the installer sets a
	// new definition to established, rather than waiting for it.
	Sole bool
}

// Install creates or updates the definitions and policies, and waits until the
// definitions are served.
func (i Installer) Install(ctx context.Context, definitions, policies []Source) error {
	wanted, err := ParseDefinitions(definitions)
	if err != nil {
		return err
	}
	extensions, err := clientset.NewForConfig(i.REST)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(i.REST)
	if err != nil {
		return err
	}
	group, together := errgroup.WithContext(ctx)
	group.Go(func() error { return InstallPolicies(together, client, policies) })
	for _, definition := range wanted {
		group.Go(func() error {
			d := definitionInstaller{client: extensions, sole: i.Sole}
			if err := d.ensure(together, definition); err != nil {
				return fmt.Errorf("install the definition %s: %w", definition.Name, err)
			}
			return d.waitServed(together, definition)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return waitDiscovered(ctx, discovery.ToAggregatedDiscoveryInterfaceWithContext(client.DiscoveryClient), wanted)
}

// revision returns an object's revision, 0 if it is not RDD's own.
func revision(object metav1.Object) int {
	n, err := strconv.Atoi(object.GetAnnotations()[RevisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

// errForeign is the error for an existing object that RDD did not create.
var errForeign = errors.New("an object of this name exists that RDD did not create (it lacks the annotation " + RevisionAnnotation + "); delete it to have RDD create its own")

// resources is a client for the objects of one kind.
type resources[T metav1.Object] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Create(ctx context.Context, object T, options metav1.CreateOptions) (T, error)
	Update(ctx context.Context, object T, options metav1.UpdateOptions) (T, error)
}

// ensure creates or updates the object, and reports whether it created it. adopt copies
// the content of want to have, and reports whether they were equal before.
func ensure[T metav1.Object](ctx context.Context, api resources[T], want T, adopt func(have, want T) bool) (created bool, err error) {
	err = retry.OnError(retry.DefaultRetry, raced, func() error {
		have, err := api.Get(ctx, want.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = api.Create(ctx, want, metav1.CreateOptions{})
			created = err == nil
			return err
		}
		if err != nil {
			return err
		}
		current, desired := revision(have), revision(want)
		same := adopt(have, want)
		switch {
		case current == 0:
			return errForeign
		case current > desired, current == desired && same:
			return nil
		}
		annotations := have.GetAnnotations()
		annotations[RevisionAnnotation] = want.GetAnnotations()[RevisionAnnotation]
		have.SetAnnotations(annotations)
		_, err = api.Update(ctx, have, metav1.UpdateOptions{})
		return err
	})
	return created, err
}

// Replace creates or updates the object, whatever its revision.
func Replace[T metav1.Object](ctx context.Context, api resources[T], object T) error {
	return retry.OnError(retry.DefaultRetry, raced, func() error {
		have, err := api.Get(ctx, object.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			object.SetResourceVersion("")
			_, err = api.Create(ctx, object, metav1.CreateOptions{})
			return err
		}
		if err != nil {
			return err
		}
		object.SetResourceVersion(have.GetResourceVersion())
		_, err = api.Update(ctx, object, metav1.UpdateOptions{})
		return err
	})
}

// raced reports whether another program changed the object first.
func raced(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
