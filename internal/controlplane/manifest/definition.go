// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
)

const (
	servedPoll = 5 * time.Millisecond

	// establishedAge makes the API server skip the pause of two seconds before the
	// first create in a newly established definition, which is for its peers. RDD's has
	// none.
	establishedAge = time.Minute
)

// ParseDefinitions reads definitions, one per file.
func ParseDefinitions(sources []Source) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	definitions := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(sources))
	for _, source := range sources {
		data, err := source.read()
		if err != nil {
			return nil, err
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", source.Path, err)
		}
		if source.Edit != nil {
			source.Edit(definition)
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}

// ParseEstablished reads definitions like [ParseDefinitions], with a status that says
// that they are established, for writing them into a store.
func ParseEstablished(sources []Source) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	definitions, err := ParseDefinitions(sources)
	for _, definition := range definitions {
		apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&definition.Spec)
		setEstablished(definition)
	}
	return definitions, err
}

// definitionInstaller installs definitions in an API server.
type definitionInstaller struct {
	client clientset.Interface
	sole   bool // see [Installer]
}

func (d definitionInstaller) ensure(ctx context.Context, want *apiextensionsv1.CustomResourceDefinition) error {
	created, err := ensure(ctx, d.client.ApiextensionsV1().CustomResourceDefinitions(), want, adoptDefinition)
	if err != nil || !created || !d.sole {
		return err
	}
	return d.establish(ctx, want.Name)
}

// adoptDefinition copies the spec of want to have, and reports whether they were equal
// before. It keeps the conversion of versions.
func adoptDefinition(have, want *apiextensionsv1.CustomResourceDefinition) bool {
	spec := want.Spec.DeepCopy()
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(spec)
	spec.Conversion = have.Spec.Conversion
	same := apiequality.Semantic.DeepEqual(&have.Spec, spec)
	have.Spec = *spec
	return same
}

// establish sets the status of a new definition to established.
func (d definitionInstaller) establish(ctx context.Context, name string) error {
	definitions := d.client.ApiextensionsV1().CustomResourceDefinitions()
	return retry.RetryOnConflict(retry.DefaultRetry, func() error { // conflicts are with the server's own controllers
		created, err := definitions.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		setEstablished(created)
		_, err = definitions.UpdateStatus(ctx, created, metav1.UpdateOptions{})
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

// waitServed waits until every served version answers a list from the API server's
// cache, which fills after the first request: until then watches are rejected, and
// clients wait a second before they retry.
func (d definitionInstaller) waitServed(ctx context.Context, definition *apiextensionsv1.CustomResourceDefinition) error {
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		path := fmt.Sprintf("/apis/%s/%s/%s", definition.Spec.Group, version.Name, definition.Spec.Names.Plural)
		var last error
		err := wait.PollUntilContextCancel(ctx, servedPoll, true, func(ctx context.Context) (bool, error) {
			last = d.client.Discovery().RESTClient().Get().AbsPath(path).Param("resourceVersion", "0").
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

// waitDiscovered waits until the API server's aggregated discovery has the definitions.
// It follows some milliseconds after they are served; a client that reads it earlier
// does not find the kinds. A server without aggregated discovery, before Kubernetes
// 1.26, needs no wait.
func waitDiscovered(ctx context.Context, client discovery.AggregatedDiscoveryInterfaceWithContext, definitions []*apiextensionsv1.CustomResourceDefinition) error {
	var missing string
	err := wait.PollUntilContextCancel(ctx, servedPoll, true, func(ctx context.Context) (bool, error) {
		_, resources, _, err := client.GroupsAndMaybeResourcesWithContext(ctx)
		switch {
		case err != nil:
			missing = err.Error()
		case resources != nil:
			missing = undiscovered(resources, definitions)
		default:
			missing = ""
		}
		return missing == "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for discovery: %w (%s)", err, missing)
	}
	return nil
}

// undiscovered returns a definition that discovery lacks, empty if there is none.
func undiscovered(resources map[schema.GroupVersion]*metav1.APIResourceList, definitions []*apiextensionsv1.CustomResourceDefinition) string {
	for _, definition := range definitions {
		for _, version := range definition.Spec.Versions {
			found := resources[schema.GroupVersion{Group: definition.Spec.Group, Version: version.Name}]
			if version.Served && (found == nil || !slices.ContainsFunc(found.APIResources, func(r metav1.APIResource) bool {
				return r.Name == definition.Spec.Names.Plural
			})) {
				return definition.Name + " " + version.Name
			}
		}
	}
	return ""
}
