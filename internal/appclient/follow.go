// SPDX-License-Identifier: Apache-2.0

package appclient

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// retryPause is how long a lost connection is left alone.
const retryPause = 100 * time.Millisecond

func apps() client.ObjectList    { return &appv1alpha1.AppList{} }
func engines() client.ObjectList { return &containersv1alpha1.ContainerEngineList{} }
func vms() client.ObjectList     { return &limav1alpha1.LimaVMList{} }

// errLost says that a connection was lost, and that it is worth another try.
var errLost = errors.New("the API server does not answer")

// each looks at an object, nil where there is none, and reports whether that is
// what is waited for.
type each func(object client.Object) (done bool, err error)

// follow calls each with an object as it is, and whenever it changes, until each
// is done or fails, or ctx ends. Where the API server goes away it waits for one
// to come back.
func (c *Client) follow(ctx context.Context, list func() client.ObjectList, key client.ObjectKey, each each) error {
	for {
		err := c.followOnce(ctx, list, key, each)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errLost) {
			return err
		}
		c.progress("the daemon does not answer; waiting for it")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// followOnce follows over one connection, and returns [errLost] at its end.
func (c *Client) followOnce(ctx context.Context, newList func() client.ObjectList, key client.ObjectKey, each each) error {
	api, err := c.Connect()
	if err != nil {
		return errLost // the daemon may be writing its kubeconfig
	}
	list := newList()
	scope := []client.ListOption{client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name}}
	if err := api.List(ctx, list, scope...); err != nil {
		return lost(err)
	}
	done, err := each(first(list))
	if done || err != nil {
		return err
	}
	scope = append(scope, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	watcher, err := api.Watch(ctx, newList(), scope...)
	if err != nil {
		return lost(err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		object, ok := event.Object.(client.Object)
		switch {
		case !ok:
			return errLost // it is read anew, whatever it is that is wrong
		case event.Type == watch.Deleted:
			object = nil
		}
		if done, err := each(object); done || err != nil {
			return err
		}
	}
	return errLost
}

// first returns the one object of a list, or nil.
func first(list client.ObjectList) client.Object {
	objects, err := apimeta.ExtractList(list)
	if err != nil || len(objects) == 0 {
		return nil
	}
	object, _ := objects[0].(client.Object)
	return object
}

// lost returns [errLost] for errors that another try may not have: there is no
// answer, or one that says that the API server begins or ends.
func lost(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsInternalError(err) &&
		!apierrors.IsTooManyRequests(err) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) {
		return err
	}
	return errLost
}
