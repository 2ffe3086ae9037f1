// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// List implements [engine.Engine].
func (e *Engine) List(ctx context.Context, kind engine.Kind) ([]engine.Item, error) {
	ctx, cancel := engine.Limit(ctx, callTimeout)
	defer cancel()
	switch kind {
	case engine.KindNamespace:
		return []engine.Item{{
			Key:     engine.Key{Kind: engine.KindNamespace, ID: Namespace},
			Current: func(engine.Object, time.Time) bool { return true },
		}}, nil
	case engine.KindContainer:
		return list(ctx, limits.List{What: "the engine's list of containers", Size: limits.Containers}, containerHead, containerItem,
			func(ctx context.Context) error {
				_, err := e.api().ContainerList(ctx, client.ContainerListOptions{All: true})
				return err
			})
	case engine.KindImage:
		return e.images(ctx, client.ImageListOptions{})
	case engine.KindVolume:
		return list(ctx, limits.List{What: "the engine's list of volumes", Size: limits.Volumes, Member: "Volumes", Null: true}, volumeHead, volumeItem,
			func(ctx context.Context) error {
				_, err := e.api().VolumeList(ctx, client.VolumeListOptions{})
				return err
			})
	case engine.KindNetwork:
		return list(ctx, limits.List{What: "the engine's list of networks", Size: limits.Networks}, networkHead, networkItem,
			func(ctx context.Context) error {
				_, err := e.api().NetworkList(ctx, client.NetworkListOptions{})
				return err
			})
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}

// images lists images, those without a tag at least, and notes which those are.
func (e *Engine) images(ctx context.Context, options client.ImageListOptions) ([]engine.Item, error) {
	items, err := list(ctx, limits.List{What: "the engine's list of images", Size: limits.Images}, imageHead, imageItem,
		func(ctx context.Context) error {
			_, err := e.api().ImageList(ctx, options)
			return err
		})
	if err == nil {
		e.untagged.note(items)
	}
	return items, err
}

// head is what is read at once of an entry of a list.
type head struct {
	ID       string `json:"Id"`
	Name     string
	RepoTags []string
}

func containerHead(h *head) engine.Item {
	return engine.Item{Key: engine.Key{Kind: engine.KindContainer, ID: h.ID}}
}

func imageHead(h *head) engine.Item {
	return engine.Item{Key: engine.Key{Kind: engine.KindImage, ID: h.ID}, Tags: tags(h.RepoTags)}
}

func volumeHead(h *head) engine.Item {
	return engine.Item{Key: engine.Key{Kind: engine.KindVolume, ID: h.Name}}
}

// list makes a list. Each entry is kept as text until it is compared: decoded it
// may take many times the memory. One that is not as the API says is never
// current, and does not cost the others.
func list[T any](
	ctx context.Context, form limits.List, begin func(*head) engine.Item, convert func(*T) engine.Item, call func(context.Context) error,
) ([]engine.Item, error) {
	items := engine.NewUsable(begin(&head{}).Key.Kind)
	ctx = expect(ctx, answer{what: form.What, size: form.Size, consume: func(body io.Reader) error {
		return form.Read(body, func(text json.RawMessage) error {
			var h head
			// What it fails at is left out of h, and only the ID must be there.
			_ = limits.Unmarshal(text, &h)
			items.Add(deferred(begin(&h), text, convert))
			return nil
		})
	}})
	if err := call(ctx); err != nil {
		return nil, translate(err)
	}
	return items.List()
}

// deferred returns the item with functions that decode its text each time.
func deferred[T any](item engine.Item, text json.RawMessage, convert func(*T) engine.Item) engine.Item {
	decode := func() (engine.Item, bool) {
		var decoded T
		if limits.Unmarshal(text, &decoded) != nil {
			return engine.Item{}, false
		}
		return convert(&decoded), true
	}
	item.Current = func(known engine.Object, now time.Time) bool {
		whole, ok := decode()
		return ok && whole.Current(known, now)
	}
	item.Fits = func(known engine.Object, now time.Time) bool {
		whole, ok := decode()
		return !ok || whole.Fits == nil || whole.Fits(known, now)
	}
	item.Fingerprint = func() uint64 {
		if whole, ok := decode(); ok {
			return whole.Fingerprint()
		}
		var object map[string]any
		if limits.Unmarshal(text, &object) != nil {
			return 0
		}
		return engine.FingerprintOf(steady(object))
	}
	return item
}

func containerItem(summary *container.Summary) engine.Item {
	return engine.Item{
		Key: engine.Key{Kind: engine.KindContainer, ID: summary.ID},
		Current: func(known engine.Object, now time.Time) bool {
			return known.Container != nil && containerCurrent(summary, known.Container, now)
		},
		Fingerprint: func() uint64 { return engine.FingerprintOf(shownOf(summary)) },
		Fits: func(known engine.Object, now time.Time) bool {
			return known.Container != nil && statusTimeFits(summary.Status, known.Container, now)
		},
	}
}

// containerCurrent compares what a list of containers shows. A list has no
// times, only the text of `docker ps`; but where a container was restarted
// since the last comparison, that text has a shorter time than the one known.
func containerCurrent(summary *container.Summary, known *containersv1alpha1.ContainerStatus, now time.Time) bool {
	return phase(summary.State) == known.Status &&
		slices.Contains(summary.Names, "/"+known.Name) &&
		summary.ImageID == known.Image &&
		maps.Equal(summary.Labels, known.Labels) &&
		equalNetworks(summary, known) &&
		equalPorts(summary, known) &&
		statusTextFits(summary.Status, known, now)
}

func equalNetworks(summary *container.Summary, known *containersv1alpha1.ContainerStatus) bool {
	if summary.NetworkSettings == nil {
		return true
	}
	networks := summary.NetworkSettings.Networks
	if len(networks) != len(known.Networks) {
		return false
	}
	for _, attachment := range known.Networks {
		endpoint, ok := networks[attachment.Name]
		if !ok || (endpoint != nil && endpoint.IPAddress.IsValid() && endpoint.IPAddress.String() != attachment.IPAddress) {
			return false
		}
	}
	return true
}

// equalPorts compares the published ports; those that are only exposed can't
// change.
func equalPorts(summary *container.Summary, known *containersv1alpha1.ContainerStatus) bool {
	listed := map[string]bool{}
	for _, port := range summary.Ports {
		if port.PublicPort != 0 {
			listed[fmt.Sprintf("%s:%d->%d/%s", port.IP, port.PublicPort, port.PrivatePort, port.Type)] = true
		}
	}
	count := 0
	for _, port := range known.Ports {
		for _, binding := range port.Bindings {
			count++
			if !listed[fmt.Sprintf("%s:%s->%s", binding.HostIP, binding.HostPort, port.Name)] {
				return false
			}
		}
	}
	return count == len(listed)
}

var (
	// The texts that the engine makes of a state (daemon/container's State.String
	// in the documentation of `docker ps`): Up 2 minutes (Paused),
	// Up 3 seconds (health: starting), Exited (137) 4 hours ago, Created, Dead.
	upRE     = regexp.MustCompile(`^Up (.+?)(?: \((.+)\))?$`)
	exitedRE = regexp.MustCompile(`^Exited \((-?\d+)\) (.+) ago$`)
)

// statusTextFits reports whether the text of `docker ps` can be that of the
// known state.
func statusTextFits(text string, known *containersv1alpha1.ContainerStatus, now time.Time) bool {
	if match := exitedRE.FindStringSubmatch(text); match != nil {
		return exitCodeFits(match[1], known.ExitCode) && durationFits(match[2], known.FinishedAt, now)
	}
	if match := upRE.FindStringSubmatch(text); match != nil {
		return healthFits(match[2], known.Health) && durationFits(match[1], known.StartedAt, now)
	}
	return true
}

// statusTimeFits is statusTextFits of the times only. A time that is not known fits.
func statusTimeFits(text string, known *containersv1alpha1.ContainerStatus, now time.Time) bool {
	if match := exitedRE.FindStringSubmatch(text); match != nil {
		return known.FinishedAt == nil || durationFits(match[2], known.FinishedAt, now)
	}
	if match := upRE.FindStringSubmatch(text); match != nil {
		return known.StartedAt == nil || durationFits(match[1], known.StartedAt, now)
	}
	return true
}

// exitCodeFits compares an exit code as it is listed with one that a status has.
func exitCodeFits(text string, known int32) bool {
	code, err := strconv.ParseInt(text, 10, 64)
	return err == nil && engine.Clamp32(code) == known
}

func healthFits(text, known string) bool {
	switch text {
	case "", "Paused":
		return known == "" || text == "Paused"
	case "health: starting":
		return known == "starting"
	case "healthy", "unhealthy":
		return known == text
	}
	return true
}

// durationFits leaves some seconds for what is known of the engine's clock, and
// for the fractions that the known time has lost.
func durationFits(text string, since *metav1.Time, now time.Time) bool {
	const slack = 5
	if since == nil {
		return false
	}
	for off := -slack; off <= slack; off++ {
		if units.HumanDuration(now.Add(time.Duration(off)*time.Second).Sub(since.Time)) == text {
			return true
		}
	}
	return false
}

func imageItem(summary *image.Summary) engine.Item {
	tags := tags(summary.RepoTags)
	return engine.Item{
		Key:  engine.Key{Kind: engine.KindImage, ID: summary.ID},
		Tags: tags,
		Current: func(known engine.Object, _ time.Time) bool {
			var knownTags []string
			for i := range known.Images {
				status := &known.Images[i]
				if !equalContent(summary, status) {
					return false
				}
				if status.RepoTag != "" {
					knownTags = append(knownTags, status.RepoTag)
				}
			}
			slices.Sort(knownTags)
			return len(known.Images) == max(1, len(tags)) && slices.Equal(knownTags, tags)
		},
		Fingerprint: func() uint64 {
			return engine.FingerprintOf([]any{tags, references(summary.RepoDigests, noDigest), summary.Size})
		},
	}
}

// equalContent compares an image but for its tags.
func equalContent(summary *image.Summary, known *containersv1alpha1.ImageStatus) bool {
	digests := references(summary.RepoDigests, noDigest)
	if summary.Descriptor == nil {
		return slices.Equal(known.RepoDigests, digests)
	}
	// An engine with containerd's image store lists the digest with one of the
	// names only, and a platform comes and goes with no event.
	return known.Size == summary.Size && slices.Equal(withoutNames(known.RepoDigests), withoutNames(digests))
}

// withoutNames returns what stands after the names in repository digests,
// sorted and without duplicates.
func withoutNames(digests []string) []string {
	var bare []string
	for _, digest := range digests {
		_, after, _ := strings.Cut(digest, "@")
		bare = append(bare, after)
	}
	slices.Sort(bare)
	return slices.Compact(bare)
}

func volumeItem(v *volume.Volume) engine.Item {
	listed := volumeStatus(v)
	return engine.Item{
		Key: engine.Key{Kind: engine.KindVolume, ID: v.Name},
		Current: func(known engine.Object, _ time.Time) bool {
			return known.Volume != nil && equalVolume(listed, known.Volume)
		},
		Fingerprint: func() uint64 { return engine.FingerprintOf(listed) },
	}
}

func equalVolume(a, b *containersv1alpha1.VolumeStatus) bool {
	return a.Name == b.Name && a.Driver == b.Driver && a.Mountpoint == b.Mountpoint && a.Scope == b.Scope &&
		a.CreatedAt.Equal(b.CreatedAt) && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Options, b.Options)
}
