// SPDX-License-Identifier: Apache-2.0

// Package manifest brings what RDD needs of an API server to it: its
// CustomResourceDefinitions, and the policies that say in CEL what may be
// written. What is there is replaced where it is RDD's own and of this revision
// or an older one; a newer one stays, and what is not RDD's own is an error.
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

// RevisionAnnotation orders the versions of a manifest, and marks it as RDD's
// own.
const RevisionAnnotation = "rdd.rancherdesktop.io/revision"

// Source is a file in YAML.
type Source struct {
	Files fs.FS
	Path  string
	// Edit, which may be nil, changes a definition that was read.
	Edit func(*apiextensionsv1.CustomResourceDefinition)
}

func (s Source) read() ([]byte, error) { return fs.ReadFile(s.Files, s.Path) }

// Installer brings manifests to an API server.
type Installer struct {
	// REST reaches the API server.
	REST *rest.Config
	// Sole says that the API server is RDD's own, with no peers: it is told
	// that a new definition is established rather than waited for.
	Sole bool
}

// Install makes the definitions and policies exist, and the definitions be
// served.
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

// revision returns an object's revision, 0 where it is not RDD's own.
func revision(object metav1.Object) int {
	n, err := strconv.Atoi(object.GetAnnotations()[RevisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

// errForeign says that something exists which RDD did not make.
var errForeign = errors.New("one of that name exists that is not RDD's own (it lacks the annotation " + RevisionAnnotation + "); remove it to use RDD's")

// resources are the objects of one kind in an API server.
type resources[T metav1.Object] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	Create(ctx context.Context, object T, options metav1.CreateOptions) (T, error)
	Update(ctx context.Context, object T, options metav1.UpdateOptions) (T, error)
}

// ensure makes the wanted object exist, and reports whether it did not before.
// adopt gives have the content of want, and reports whether it had it before.
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
		had, has := revision(have), revision(want)
		same := adopt(have, want)
		switch {
		case had == 0:
			return errForeign
		case had > has, had == has && same:
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

// Replace makes an object be as it is given, whatever there was before.
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

// raced reports whether another program was faster.
func raced(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
