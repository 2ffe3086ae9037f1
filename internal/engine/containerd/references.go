// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"slices"
	"strings"
	"sync"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// names are those of one image.
type names struct {
	tags []string
	// digests are references with a digest.
	digests []string
}

// sortNames tells the names of an image from each other. The CRI plugin also
// names images by a bare digest, which no user needs to see.
func sortNames(all []string) names {
	var n names
	for _, name := range all {
		switch {
		case strings.Contains(name, "@"):
			n.digests = append(n.digests, name)
		case name != "" && !strings.HasPrefix(name, "sha256:"):
			n.tags = append(n.tags, name)
		}
	}
	slices.Sort(n.tags)
	slices.Sort(n.digests)
	return n
}

// fit reports whether an image that is known has these names and no others.
func (n names) fit(known []containersv1alpha1.ImageStatus) bool {
	var tags []string
	for i := range known {
		if !slices.Equal(known[i].RepoDigests, n.digests) {
			return false
		}
		if known[i].RepoTag != "" {
			tags = append(tags, known[i].RepoTag)
		}
	}
	slices.Sort(tags)
	return len(known) == max(1, len(n.tags)) && slices.Equal(tags, n.tags)
}

// references remembers where the names of images led to: an event has a name
// only, and a name that is gone does not tell of which image.
type references struct {
	mu sync.Mutex
	// digests are by namespace and name; guarded by mu. It never has more entries
	// than containerd had images, as each removal is an event or a lost one.
	digests map[[2]string]string
}

func (r *references) learn(namespace, name, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.digests == nil {
		r.digests = map[[2]string]string{}
	}
	r.digests[[2]string{namespace, name}] = digest
}

// take returns the digest that a name led to, empty for none, and forgets it.
func (r *references) take(namespace, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := r.digests[[2]string{namespace, name}]
	delete(r.digests, [2]string{namespace, name})
	return digest
}

// reset forgets everything, as a new connection may be to a containerd that has
// changed since.
func (r *references) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.digests)
}
