// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// retryPause is the pause before reconnecting.
const retryPause = 100 * time.Millisecond

// errLost reports a lost connection that is worth a retry.
var errLost = errors.New("the API server does not answer")

// each is called with an object, nil if it does not exist, and reports whether the wait is
// done.
type each func(object client.Object) (done bool, err error)

// restartPatience is how long a wait continues after the daemon has stopped: a restart
// takes less.
const restartPatience = 30 * time.Second

// ErrEnded reports that the daemon has stopped and has not been started again.
var ErrEnded = errors.New("the daemon has stopped: run `rdd service start` to continue, and see `rdd service log` for the reason")

// Wait calls look with the current object, nil if it does not exist, and after each change,
// until look is done or fails, or ctx ends, in which case it returns ctx's error. If the API
// server stops, Wait waits until it is back. list returns an empty list of the object's kind.
func (s *Session) Wait(ctx context.Context, list func() client.ObjectList, key client.ObjectKey, look func(client.Object) (done bool, err error)) error {
	var ended time.Time // when the daemon was first found stopped; zero if it runs
	for try := 0; ; try++ {
		err := s.once(ctx, list, key, look)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		if !errors.Is(err, errLost) {
			return err
		}
		switch {
		case try%10 != 0: // once a second is enough
		case s.Alive == nil || s.Alive():
			ended = time.Time{}
		case ended.IsZero():
			ended = s.Clock.Now()
		case s.Clock.Since(ended) >= restartPatience:
			return ErrEnded
		}
		s.say("waiting for the daemon, which does not answer")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.Clock.After(retryPause):
		}
	}
}

// observeLimit is how long to wait until the controller observes a request without a new
// generation. After that, its status counts as the result of the request: without
// limactl, for example, the status does not change.
const observeLimit = 10 * time.Second

// waitAtMost is [Session.Wait] until ctx ends or a time is over, which is no error.
func (s *Session) waitAtMost(ctx context.Context, limit time.Duration, list func() client.ObjectList, key client.ObjectKey, look each) error {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.Clock.AfterFunc(limit, cancel).Stop()
	err := s.Wait(limited, list, key, look)
	if ctx.Err() == nil && limited.Err() != nil {
		return nil
	}
	return err
}

// once watches with one connection, and returns [errLost] when it is lost.
func (s *Session) once(ctx context.Context, newList func() client.ObjectList, key client.ObjectKey, look each) (err error) {
	api, err := s.API()
	if err != nil {
		return errLost // the daemon may be writing its kubeconfig
	}
	defer func() {
		if errors.Is(err, errLost) {
			s.forget(api)
		}
	}()
	list := newList()
	scope := []client.ListOption{client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name}}
	if err := api.List(ctx, list, scope...); err != nil {
		return lost(err)
	}
	done, err := look(first(list))
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
			return errLost // an error event: list again
		case event.Type == watch.Deleted:
			object = nil
		}
		if done, err := look(object); done || err != nil {
			return err
		}
	}
	return errLost
}

// first returns the first object of a list, or nil.
func first(list client.ObjectList) client.Object {
	objects, err := apimeta.ExtractList(list)
	if err != nil || len(objects) == 0 {
		return nil
	}
	object, _ := objects[0].(client.Object)
	return object
}

// lost returns [errLost] for errors that a retry may avoid: no response, or one from an API
// server that is starting or stopping.
func lost(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsInternalError(err) &&
		!apierrors.IsTooManyRequests(err) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) {
		return err
	}
	return errLost
}

// ended turns the error of a wait whose ctx timed out into a [fault.Deadline] with the
// error that late returns.
func ended(ctx context.Context, err error, late func() error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Deadline, "", "", late())
	}
	return err
}
