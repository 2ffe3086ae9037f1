// SPDX-License-Identifier: Apache-2.0

// Package follow watches one object for a command until a condition is met. It reconnects
// when the connection is lost, for example because the daemon restarts.
package follow

import (
	"context"
	"errors"
	"fmt"
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

// Each is called with an object, nil if it does not exist, and reports whether the wait is
// done.
type Each func(object client.Object) (done bool, err error)

// Source reads objects from an API server.
type Source struct {
	// Connect returns a client for the API server. It is called again after a lost
	// connection, because the daemon's address may have changed.
	Connect func() (client.WithWatch, error)
	// Alive, which may be nil, reports whether the daemon runs.
	Alive func() bool
	// Progress, which may be nil, is called with a description of the wait.
	Progress func(message string)
}

// restartPatience is how long a wait continues after the daemon has stopped: a restart
// takes less.
const restartPatience = 30 * time.Second

// ErrEnded reports that the daemon has stopped and has not been started again.
var ErrEnded = errors.New("the daemon has stopped: run `rdd service start` to continue, and see `rdd service log` for the reason")

// Say reports the progress of the wait.
func (s Source) Say(format string, args ...any) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf(format, args...))
	}
}

// Object calls each with the current object and after each change, until each is done or
// fails, or ctx ends, in which case it returns ctx's error. If the API server stops, Object
// waits until it is back. list returns an empty list of the object's kind.
func (s Source) Object(ctx context.Context, list func() client.ObjectList, key client.ObjectKey, each Each) error {
	var ended time.Time // when the daemon was first found stopped; zero if it runs
	for try := 0; ; try++ {
		err := s.once(ctx, list, key, each)
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
			ended = time.Now()
		case time.Since(ended) >= restartPatience:
			return ErrEnded
		}
		s.Say("waiting for the daemon, which does not answer")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// once watches with one connection, and returns [errLost] when it is lost.
func (s Source) once(ctx context.Context, newList func() client.ObjectList, key client.ObjectKey, each Each) error {
	api, err := s.Connect()
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
			return errLost // an error event: list again
		case event.Type == watch.Deleted:
			object = nil
		}
		if done, err := each(object); done || err != nil {
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

// Ended turns the error of a wait whose ctx timed out into a [fault.Deadline] with the
// error that late returns.
func Ended(ctx context.Context, err error, late func() error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Deadline, "", "", late())
	}
	return err
}
