// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	rddcommand "github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

const (
	defaultWait = 30 * time.Second

	// sinceStartup stands for the start of the control plane.
	sinceStartup = "startup"
)

// conditionWait is one `wait-condition`.
type conditionWait struct {
	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams

	reason  string
	since   string
	timeout time.Duration

	resource  string // TYPE[.GROUP]
	name      string
	condition string
	status    string
}

func newWaitCondition(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	w := &conditionWait{flags: flags, streams: streams}
	command := &cobra.Command{
		Use:   "wait-condition TYPE[.GROUP]/NAME CONDITION[=STATUS]",
		Short: "Wait for a condition of an object that may not exist yet",
		Long: `Wait until a condition of an object has the given status (default: True) and, optionally,
the given reason and a transition after the given time. A condition that observed an older
generation of the object does not count. The object need not exist yet. The exit code is 4
after the timeout.`,
		Example: `  # Wait until the App is settled
  rdd ctl wait-condition app/app Settled

  # Wait until an engine has been connected since the control plane started
  rdd ctl wait-condition containerengine/moby Ready --since startup --reason Connected`,
		RunE: func(command *cobra.Command, args []string) error {
			err := w.parse(args)
			if err == nil {
				err = w.run(command.Context())
			}
			if err != nil {
				return fault.New(fault.KindOf(err), "", "", err)
			}
			return nil
		},
	}
	command.Flags().StringVar(&w.reason, "reason", "", "the required reason of the condition")
	command.Flags().StringVar(&w.since, "since", "", "accept only transitions since this time (RFC 3339), or since `startup` of the control plane")
	w.timeout = defaultWait
	rddcommand.Timeout(command.Flags(), &w.timeout, "how long to wait; 0 checks once")
	return command
}

func (w *conditionWait) parse(args []string) error {
	if len(args) != 2 {
		return fault.New(fault.Usage, "", "", errors.New("requires TYPE[.GROUP]/NAME and CONDITION[=STATUS]"))
	}
	var ok bool
	if w.resource, w.name, ok = strings.Cut(args[0], "/"); !ok || w.resource == "" || w.name == "" {
		return fault.New(fault.Usage, "", "", fmt.Errorf("%q is not TYPE[.GROUP]/NAME", args[0]))
	}
	if w.condition, w.status, ok = strings.Cut(args[1], "="); !ok {
		w.status = string(metav1.ConditionTrue)
	}
	if w.condition == "" || w.status == "" {
		return fault.New(fault.Usage, "", "", fmt.Errorf("%q is not CONDITION[=STATUS]", args[1]))
	}
	known := []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown}
	for _, status := range known {
		if strings.EqualFold(w.status, string(status)) {
			w.status = string(status)
			return nil
		}
	}
	return fault.New(fault.Usage, "", "", fmt.Errorf("invalid condition status %q: must be %s, %s or %s", w.status, known[0], known[1], known[2]))
}

func (w *conditionWait) run(ctx context.Context) error {
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	since, err := w.sinceTime(ctx)
	if err != nil {
		return err
	}
	resource, err := w.client()
	if err != nil {
		return err
	}
	last := absent
	if w.timeout == 0 {
		var met bool
		if met, last, err = w.look(ctx, resource, since); err == nil && !met {
			err = context.DeadlineExceeded
		}
	} else if err = w.follow(ctx, resource, since, &last); err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	switch {
	case err == nil:
		_, err = fmt.Fprintf(w.streams.Out, "%s/%s %s=%s\n", w.resource, w.name, w.condition, w.status)
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault.New(fault.Deadline, "wait for "+w.condition+"="+w.status+" of", w.resource+"/"+w.name,
			fmt.Errorf("%s after %s", last, w.timeout))
	}
	return err
}

// absent describes an object that does not exist.
const absent = "it does not exist"

// look reports whether the condition matches now, and describes it.
func (w *conditionWait) look(ctx context.Context, resource dynamic.ResourceInterface, since time.Time) (bool, string, error) {
	object, err := resource.Get(ctx, w.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, absent, nil
	}
	if err != nil {
		return false, "", err
	}
	met, state := w.met(object, since)
	return met, state, nil
}

// follow waits until the condition matches, and keeps its latest description in last.
func (w *conditionWait) follow(ctx context.Context, resource dynamic.ResourceInterface, since time.Time, last *string) error {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return resource.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			return resource.Watch(ctx, options)
		},
	}
	_, err := watchtools.UntilWithSync(ctx, source, &unstructured.Unstructured{}, nil, func(event watch.Event) (met bool, _ error) {
		object, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Deleted {
			*last = absent
			return false, nil
		}
		met, *last = w.met(object, since)
		return met, nil
	})
	return err
}

// met reports whether the condition of object matches, and describes it.
func (w *conditionWait) met(object *unstructured.Unstructured, since time.Time) (bool, string) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		// As in `kubectl wait`, the case does not matter.
		if name, _ := condition["type"].(string); !strings.EqualFold(name, w.condition) {
			continue
		}
		at, _ := condition["lastTransitionTime"].(string)
		state := fmt.Sprintf("it is %v (%v: %v) since %s", condition["status"], condition["reason"], condition["message"], at)
		changed, err := time.Parse(time.RFC3339, at)
		recent := since.IsZero() || (err == nil && !changed.Before(since))
		// As in `kubectl wait`, a condition of an older generation does not count.
		if observed, ok, _ := unstructured.NestedInt64(condition, "observedGeneration"); ok && observed < object.GetGeneration() {
			return false, state + ", for an older generation"
		}
		return condition["status"] == w.status && (w.reason == "" || condition["reason"] == w.reason) && recent, state
	}
	return false, "condition not found"
}

func (w *conditionWait) sinceTime(ctx context.Context) (time.Time, error) {
	switch w.since {
	case "":
		return time.Time{}, nil
	case sinceStartup:
		config, err := w.flags.ToRESTConfig()
		if err != nil {
			return time.Time{}, err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return time.Time{}, err
		}
		discovery, err := client.CoreV1().ConfigMaps(manager.SystemNamespace).Get(ctx, manager.DiscoveryName, metav1.GetOptions{})
		if err != nil {
			return time.Time{}, fmt.Errorf("read the start time of the control plane: %w", err)
		}
		return discovery.CreationTimestamp.Time, nil
	}
	since, err := time.Parse(time.RFC3339, w.since)
	if err != nil {
		return time.Time{}, fault.New(fault.Usage, "", "", fmt.Errorf("--since %q: must be a time in RFC 3339 format or %q", w.since, sinceStartup))
	}
	return since, nil
}

// client returns a client for the resource, in the namespace that applies.
func (w *conditionWait) client() (dynamic.ResourceInterface, error) {
	mapper, err := w.flags.ToRESTMapper()
	if err != nil {
		return nil, err
	}
	versioned, plain := schema.ParseResourceArg(w.resource)
	resource := plain.WithVersion("")
	if versioned != nil {
		if known, err := mapper.ResourceFor(*versioned); err == nil {
			resource = known
		}
	}
	known, err := mapper.ResourceFor(resource)
	if apimeta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the API server has no resource type %q (see `rdd ctl api-resources`)", w.resource)
	}
	if err != nil {
		return nil, err
	}
	kind, err := mapper.KindFor(known)
	if err != nil {
		return nil, err
	}
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	config, err := w.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	namespace, _, err := w.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == "root" {
		return dynamicClient.Resource(mapping.Resource), nil
	}
	return dynamicClient.Resource(mapping.Resource).Namespace(namespace), nil
}
