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

// retryPause is how long a lost connection is left alone.
const retryPause = 100 * time.Millisecond

// errLost says that a connection was lost, and that it is worth another try.
var errLost = errors.New("the API server does not answer")

// each looks at an object, nil if there is none, and reports whether that is what is
// waited for.
type each func(object client.Object) (done bool, err error)

// restartPatience is how long a daemon that has ended may stay away: a restart takes
// less.
const restartPatience = 30 * time.Second

// ErrEnded says that the daemon has ended, and no other one has started.
var ErrEnded = errors.New("the daemon has ended: `rdd service start` starts it again, and what was asked for continues then; `rdd service log` may say why it ended")

// wait calls look with an object as it is, and whenever it changes, until look
// is done or fails, or ctx ends: the error is ctx's then. If the API server
// goes away it waits for one to come back. list makes lists of the object's kind.
func (s *Session) wait(ctx context.Context, list func() client.ObjectList, key client.ObjectKey, look each) error {
	var ended time.Time // when the daemon was first found to have ended; zero if it runs
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
		s.say("the daemon does not answer; waiting for it")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.Clock.After(retryPause):
		}
	}
}

// takenLimit is how long the controller may take to look at a request that is no
// new generation, before what it said of an earlier one is taken for its answer:
// without limactl, for example, it has nothing else to say.
const takenLimit = 10 * time.Second

// waitAtMost is wait until ctx ends or a time is over, which is no error.
func (s *Session) waitAtMost(ctx context.Context, limit time.Duration, list func() client.ObjectList, key client.ObjectKey, look each) error {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.Clock.AfterFunc(limit, cancel).Stop()
	err := s.wait(limited, list, key, look)
	if ctx.Err() == nil && limited.Err() != nil {
		return nil
	}
	return err
}

// once follows over one connection, and returns [errLost] at its end.
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
			return errLost // it is read anew, whatever it is that is wrong
		case event.Type == watch.Deleted:
			object = nil
		}
		if done, err := look(object); done || err != nil {
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

// ended turns the end of a wait's context into an error that says what was waited
// for: a [fault.Deadline] if its time was over.
func ended(ctx context.Context, err error, late func() error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Deadline, "", "", late())
	}
	return err
}
