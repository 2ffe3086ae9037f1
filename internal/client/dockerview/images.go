// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/command/formatter"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
)

// Images is the kind of images.
func Images() *Kind {
	return &Kind{
		Table:   listing.Images(),
		filters: []string{"before", "dangling", engineFilter, "label", "reference", "since", "until"},
		check:   checkImageFilters,
		reads:   []listing.Table{listing.Images()},
		choose:  chooseImages,
		blank: func(o *Options) row {
			return &imageRow{common: common{HeaderContext: imageHeaders(), obj: &containersv1alpha1.Image{}, full: o.Full}, status: &containersv1alpha1.ImageStatus{}}
		},
		format: func(source string, o *Options) formatter.Format {
			return formatter.NewImageFormat(source, o.Quiet, o.Digests)
		},
		wide: "\t{{.Digest}}\t{{.Platform}}",
		sorts: map[string]func(a, b row) int{
			"created": byImage(func(a, b *imageRow) int { return timeOf(a.status.CreatedAt).Compare(timeOf(b.status.CreatedAt)) }),
			"engine":  func(a, b row) int { return cmp.Compare(listing.EngineOf(a.object()), listing.EngineOf(b.object())) },
			"name":    byImage(func(a, b *imageRow) int { return cmp.Or(cmp.Compare(a.repo, b.repo), cmp.Compare(a.tag, b.tag)) }),
			"size":    byImage(func(a, b *imageRow) int { return cmp.Compare(a.status.Size, b.status.Size) }),
		},
	}
}

func byImage(compare func(a, b *imageRow) int) func(a, b row) int {
	return func(a, b row) int { return compare(a.(*imageRow), b.(*imageRow)) }
}

func checkImageFilters(f Filters) error {
	if _, _, err := f.dangling(); err != nil {
		return err
	}
	for _, value := range f["until"] {
		if _, err := ParseTime(value, time.Now()); err != nil {
			return fmt.Errorf("filter until: %w", err)
		}
	}
	for _, pattern := range f["reference"] {
		if _, err := reference.FamiliarMatch(pattern, mustName("a")); err != nil {
			return fmt.Errorf("filter reference=%q: %w", pattern, err)
		}
	}
	return nil
}

func mustName(name string) reference.Named {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		panic(err) // of a constant
	}
	return ref
}

// wholeImage is an image with the mirrors of its tags.
type wholeImage struct {
	scope   string
	status  *containersv1alpha1.ImageStatus // of any tag
	mirrors []*containersv1alpha1.Image
}

// wholeImages groups mirrors by image, newest first.
func wholeImages(mirrors []containersv1alpha1.Image) []*wholeImage {
	var images []*wholeImage
	index := map[string]*wholeImage{}
	for i := range mirrors {
		m := &mirrors[i]
		scope := scopeOf(m, m.Status.Namespace)
		whole := index[scope+m.Status.ID]
		if whole == nil {
			whole = &wholeImage{scope: scope, status: &m.Status}
			index[scope+m.Status.ID] = whole
			images = append(images, whole)
		}
		whole.mirrors = append(whole.mirrors, m)
	}
	slices.SortStableFunc(images, func(a, b *wholeImage) int { return timeOf(b.status.CreatedAt).Compare(timeOf(a.status.CreatedAt)) })
	return images
}

// chooseImages is [Kind.choose] of images.
func chooseImages(w *world, o *Options) ([]row, error) {
	f := o.Filters
	dangling, danglingGiven, err := f.dangling()
	if err != nil {
		return nil, err
	}
	created, err := createdWithin(w, f)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, image := range wholeImages(w.images) {
		if !f.engine(image.mirrors[0]) || !created(image.status) || !f.labels(image.status.Labels) {
			continue
		}
		tags, digests := image.references(f["reference"])
		none := len(tags) == 0 && len(digests) == 0
		switch {
		case none && (danglingGiven && !dangling || len(f["reference"]) > 0):
			continue // untagged
		case danglingGiven && dangling && len(tags) > 0:
			continue
		case !o.All && !dangling && len(tags) == 0:
			continue // as docker 29, which lists untagged images only on request
		}
		for _, r := range image.rows(tags, digests, o) {
			r.common = common{HeaderContext: imageHeaders(), obj: r.obj, full: o.Full, now: w.now, problem: w.problem}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// createdWithin returns the predicate of the filters before, since and until.
func createdWithin(w *world, f Filters) (func(*containersv1alpha1.ImageStatus) bool, error) {
	index := newImageIndex(w.images)
	at := func(name string) (*time.Time, error) {
		if len(f[name]) == 0 {
			return nil, nil
		}
		var found *containersv1alpha1.Image
		index.find(f[name][0], func(_ string, image *containersv1alpha1.Image) { found = image })
		if found == nil {
			return nil, fmt.Errorf("filter %s: no image %q found (see `rdd images`)", name, f[name][0])
		}
		created := timeOf(found.Status.CreatedAt)
		return &created, nil
	}
	before, err := at("before")
	if err != nil {
		return nil, err
	}
	since, err := at("since")
	if err != nil {
		return nil, err
	}
	for _, value := range f["until"] {
		until, err := ParseTime(value, w.now)
		if err != nil {
			return nil, err
		}
		if before == nil || until.Before(*before) {
			before = &until
		}
	}
	return func(s *containersv1alpha1.ImageStatus) bool {
		created := timeOf(s.CreatedAt)
		return (before == nil || created.Before(*before)) && (since == nil || created.After(*since))
	}, nil
}

// references returns the tags and digests of an image that match one of the patterns,
// or all if there are none.
func (i *wholeImage) references(patterns []string) (tags []*containersv1alpha1.Image, digests []string) {
	matches := func(text string) bool {
		ref, err := reference.ParseNormalizedNamed(text)
		return err == nil && (len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
			matched, err := reference.FamiliarMatch(pattern, ref)
			return err == nil && matched
		}))
	}
	for _, m := range i.mirrors {
		if m.Status.RepoTag != "" && matches(m.Status.RepoTag) {
			tags = append(tags, m)
		}
	}
	for _, digest := range i.status.RepoDigests {
		if matches(digest) {
			digests = append(digests, digest)
		}
	}
	return tags, digests
}

// rows returns the lines of an image: one for each tag, with --digests for each tag and
// digest, and one for each repository that has only digests.
func (i *wholeImage) rows(tags []*containersv1alpha1.Image, digests []string, o *Options) []*imageRow {
	var rows []*imageRow
	add := func(m *containersv1alpha1.Image, repo, tag, digest string) {
		rows = append(rows, &imageRow{common: common{obj: m}, status: &m.Status, repo: repo, tag: tag, digest: digest})
	}
	if len(tags) == 0 && len(digests) == 0 {
		add(i.mirrors[0], none, none, none)
		return rows
	}
	byRepo := map[string][]string{}
	for _, digest := range digests {
		if repo, sum, ok := strings.Cut(shortName(digest), "@"); ok {
			byRepo[repo] = append(byRepo[repo], sum)
		}
	}
	shown := o.Digests || strings.Contains(o.Format, "{{.Digest}}")
	tagged := map[string]bool{}
	for _, m := range tags {
		repo, tag := splitTag(shortName(m.Status.RepoTag))
		tagged[repo] = true
		if !shown || len(byRepo[repo]) == 0 {
			add(m, repo, tag, none)
			continue
		}
		for _, digest := range byRepo[repo] {
			add(m, repo, tag, digest)
		}
	}
	for _, repo := range slices.Sorted(keys(byRepo)) {
		switch {
		case tagged[repo]:
		case o.Digests:
			for _, digest := range byRepo[repo] {
				add(i.mirrors[0], repo, none, digest)
			}
		default:
			add(i.mirrors[0], repo, none, "")
		}
	}
	return rows
}

// shortName is a reference without the default registry.
func shortName(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(ref)
}

func splitTag(name string) (repo, tag string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || i < strings.LastIndexByte(name, '/') {
		return name, none
	}
	return name[:i], name[i+1:]
}

// imageIndex finds images by reference or ID.
type imageIndex struct {
	tags   map[string]*containersv1alpha1.Image // by scope and reference
	ids    map[string]*containersv1alpha1.Image // by scope and ID
	scopes map[string]bool
}

func newImageIndex(mirrors []containersv1alpha1.Image) *imageIndex {
	index := &imageIndex{tags: map[string]*containersv1alpha1.Image{}, ids: map[string]*containersv1alpha1.Image{}, scopes: map[string]bool{}}
	for i := range mirrors {
		m := &mirrors[i]
		scope := scopeOf(m, m.Status.Namespace)
		index.scopes[scope] = true
		index.ids[scope+m.Status.ID] = m
		if m.Status.RepoTag != "" {
			index.tags[scope+m.Status.RepoTag] = m
			index.tags[scope+shortName(m.Status.RepoTag)] = m
		}
	}
	return index
}

// find calls yield for the image with the reference or the ID, or the beginning of one,
// in each scope.
func (x *imageIndex) find(name string, yield func(scope string, image *containersv1alpha1.Image)) {
	for scope := range x.scopes {
		if image := x.inScope(scope, name); image != nil {
			yield(scope, image)
		}
	}
}

func (x *imageIndex) inScope(scope, name string) *containersv1alpha1.Image {
	if image := x.ids[scope+name]; image != nil {
		return image
	}
	if image := x.byReference(scope, name); image != nil {
		return image
	}
	prefix := strings.TrimPrefix(name, "sha256:")
	if prefix == "" {
		return nil
	}
	var found *containersv1alpha1.Image
	for key, image := range x.ids {
		if id, ok := strings.CutPrefix(key, scope); ok && strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), prefix) {
			if found != nil {
				return nil // ambiguous
			}
			found = image
		}
	}
	return found
}

func (x *imageIndex) byReference(scope, name string) *containersv1alpha1.Image {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil
	}
	if digested, ok := ref.(reference.Digested); ok {
		for _, image := range x.ids {
			if scopeOf(image, image.Status.Namespace) == scope && slices.ContainsFunc(image.Status.RepoDigests, func(known string) bool {
				return strings.HasSuffix(known, "@"+digested.Digest().String())
			}) {
				return image
			}
		}
		return nil
	}
	return x.tags[scope+reference.FamiliarString(reference.TagNameOnly(ref))]
}

// shown returns the image that the engine shows for a container: the reference that it
// was created from, or the ID if that is no longer the reference's image.
func (x *imageIndex) shown(c *containersv1alpha1.Container) imageOf {
	scope := scopeOf(c, c.Status.Namespace)
	result := imageOf{name: c.Status.ImageName}
	if image := x.ids[scope+c.Status.Image]; image != nil {
		result.platform = platformOf(&image.Status)
	}
	if c.Status.Image == "" || c.Status.ImageName == c.Status.Image {
		return result
	}
	if current := x.inScope(scope, c.Status.ImageName); current == nil || current.Status.ID != c.Status.Image {
		result.name = c.Status.Image
	}
	return result
}

// scopeOf identifies a mirror's engine and its namespace there.
func scopeOf(obj client.Object, namespace string) string {
	return listing.EngineOf(obj) + "\x00" + namespace + "\x00"
}
