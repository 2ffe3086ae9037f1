// SPDX-License-Identifier: Apache-2.0

// Package crd brings CustomResourceDefinitions to an API server and waits
// until it serves them.
package crd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"

	"golang.org/x/sync/errgroup"
)

const (
	// RevisionAnnotation orders the versions of a definition, and marks it as
	// RDD's own.
	RevisionAnnotation = "rdd.rancherdesktop.io/revision"

	servedPoll = 5 * time.Millisecond

	// establishedAge makes the API server skip the pause of two seconds that
	// it takes before the first create in a definition that was established
	// just now, for the sake of its peers. There are none.
	establishedAge = time.Minute
)

// Parse returns the definitions in files, which hold one YAML document each.
func Parse(files fs.FS) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var definitions []*apiextensionsv1.CustomResourceDefinition
	paths, err := fs.Glob(files, "crds/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		data, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}

// Installer brings definitions to an API server.
type Installer struct {
	// Client of the API server.
	Client clientset.Interface
	// Sole says that the API server is RDD's own, with no peers: it is told
	// that a new definition is established rather than waited for.
	Sole bool
}

// Install makes the definitions exist and be served. A definition that exists
// is updated where it is RDD's own and of this revision or an older one; where
// it is newer it stays, and where it is not RDD's own that is an error.
func (i Installer) Install(ctx context.Context, definitions []*apiextensionsv1.CustomResourceDefinition) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, definition := range definitions {
		group.Go(func() error {
			if err := i.ensure(ctx, definition); err != nil {
				return fmt.Errorf("install the definition %s: %w", definition.Name, err)
			}
			return i.waitServed(ctx, definition)
		})
	}
	return group.Wait()
}

func (i Installer) ensure(ctx context.Context, want *apiextensionsv1.CustomResourceDefinition) error {
	definitions := i.Client.ApiextensionsV1().CustomResourceDefinitions()
	have, err := definitions.Get(ctx, want.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return i.create(ctx, want)
	}
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := mayReplace(have, want); err != nil || upToDate(have, want) {
			return err
		}
		updated := have.DeepCopy()
		updated.Spec = want.Spec
		updated.Spec.Conversion = have.Spec.Conversion
		metav1.SetMetaDataAnnotation(&updated.ObjectMeta, RevisionAnnotation, want.Annotations[RevisionAnnotation])
		_, err := definitions.Update(ctx, updated, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			var getErr error
			if have, getErr = definitions.Get(ctx, want.Name, metav1.GetOptions{}); getErr != nil {
				return getErr
			}
		}
		return err
	})
}

func (i Installer) create(ctx context.Context, want *apiextensionsv1.CustomResourceDefinition) error {
	definitions := i.Client.ApiextensionsV1().CustomResourceDefinitions()
	created, err := definitions.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return i.ensure(ctx, want) // another program was faster
	}
	if err != nil || !i.Sole {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		setEstablished(created)
		_, err := definitions.UpdateStatus(ctx, created, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) { // with the server's own controllers
			var getErr error
			if created, getErr = definitions.Get(ctx, want.Name, metav1.GetOptions{}); getErr != nil {
				return getErr
			}
		}
		return err
	})
}

func setEstablished(definition *apiextensionsv1.CustomResourceDefinition) {
	since := metav1.NewTime(time.Now().Add(-establishedAge))
	status := &definition.Status
	status.AcceptedNames = definition.Spec.Names
	status.StoredVersions = nil
	for _, version := range definition.Spec.Versions {
		if version.Storage {
			status.StoredVersions = append(status.StoredVersions, version.Name)
		}
	}
	status.Conditions = []apiextensionsv1.CustomResourceDefinitionCondition{
		{Type: apiextensionsv1.NamesAccepted, Status: apiextensionsv1.ConditionTrue, LastTransitionTime: since, Reason: "NoConflicts", Message: "no conflicts found"},
		{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue, LastTransitionTime: since, Reason: "InitialNamesAccepted", Message: "the initial names have been accepted"},
	}
}

// revision returns the definition's revision, 0 where it is not RDD's own.
func revision(definition *apiextensionsv1.CustomResourceDefinition) int {
	n, err := strconv.Atoi(definition.Annotations[RevisionAnnotation])
	if err != nil {
		return 0
	}
	return n
}

// errForeign says that a definition exists which RDD did not make.
var errForeign = errors.New("a definition of that name exists that is not RDD's own (it lacks the annotation " + RevisionAnnotation + ")")

func mayReplace(have, want *apiextensionsv1.CustomResourceDefinition) error {
	if revision(have) == 0 {
		return fmt.Errorf("%w; remove it to use RDD's %s", errForeign, want.Name)
	}
	return nil
}

// upToDate reports whether nothing is to be done: the definition is newer than
// the wanted one, or the same.
func upToDate(have, want *apiextensionsv1.CustomResourceDefinition) bool {
	if revision(have) > revision(want) {
		return true
	}
	defaulted := want.Spec.DeepCopy()
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(defaulted)
	defaulted.Conversion = have.Spec.Conversion
	return revision(have) == revision(want) && apiequality.Semantic.DeepEqual(&have.Spec, defaulted)
}

// waitServed waits until every served version answers a list from the API
// server's cache, which fills after the first request: until then watches are
// refused, and clients wait a second before they try again.
func (i Installer) waitServed(ctx context.Context, definition *apiextensionsv1.CustomResourceDefinition) error {
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		path := fmt.Sprintf("/apis/%s/%s/%s", definition.Spec.Group, version.Name, definition.Spec.Names.Plural)
		var last error
		err := wait.PollUntilContextCancel(ctx, servedPoll, true, func(ctx context.Context) (bool, error) {
			last = i.Client.Discovery().RESTClient().Get().AbsPath(path).Param("resourceVersion", "0").
				SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").
				MaxRetries(0).Do(ctx).Error()
			return last == nil, nil
		})
		if err != nil {
			return fmt.Errorf("wait for %s to be served: %w", path, errors.Join(err, last))
		}
	}
	return nil
}
