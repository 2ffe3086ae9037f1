// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// DeleteApp requests the deletion of the App. It is no error if the App is gone.
func (s *Session) DeleteApp(ctx context.Context, app *appv1alpha1.App) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	err = api.Delete(ctx, app, client.Preconditions{UID: &app.UID})
	if apierrors.IsConflict(err) {
		return nil // deleted and created again
	}
	return client.IgnoreNotFound(err)
}

// WaitAppGone waits until an App that is being deleted and everything it owned are gone. The
// error is a [fault.Deadline] that names the remaining object if ctx times out, or ctx's
// error if it is cancelled.
func (s *Session) WaitAppGone(ctx context.Context, app client.Object) error {
	last := "the App"
	say := func(what string) {
		last = what
		s.say("waiting for the deletion of %s", what)
	}
	say(last)
	owned, err := s.ownedEngines(ctx, app)
	for i := 0; err == nil && i < len(owned); i++ {
		err = s.Wait(ctx, engines, client.ObjectKeyFromObject(&owned[i]), func(object client.Object) (bool, error) {
			engine, ok := object.(*containersv1alpha1.ContainerEngine)
			if !ok || engine.UID != owned[i].UID {
				return true, nil
			}
			say(describeEngine(engine))
			return false, nil
		})
	}
	if err == nil {
		err = s.appVMGone(ctx, app, say)
	}
	if err == nil {
		say("the App")
		err = s.Wait(ctx, apps, appKey, func(object client.Object) (bool, error) {
			return object == nil || object.GetUID() != app.GetUID(), nil
		})
	}
	return ended(ctx, err, func() error { return fmt.Errorf("not deleted in time: still waiting for the deletion of %s", last) })
}

// appVMGone waits until the App's virtual machine is gone.
func (s *Session) appVMGone(ctx context.Context, app client.Object, say func(what string)) error {
	machines, err := s.VMs(ctx, "")
	if err != nil && !errors.Is(err, errNoController) { // the kind may not be served
		return err
	}
	for i := range machines {
		owner := metav1.GetControllerOf(&machines[i])
		if owner == nil || owner.UID != app.GetUID() {
			continue
		}
		err := s.Wait(ctx, vms, client.ObjectKeyFromObject(&machines[i]), func(object client.Object) (bool, error) {
			vm, ok := object.(*limav1alpha1.LimaVM)
			if !ok || vm.UID != machines[i].UID {
				return true, nil
			}
			what := fmt.Sprintf("the virtual machine %s/%s", vm.Namespace, vm.Name)
			if running := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionRunning); running != nil {
				what += " (" + describe(running) + ")"
			}
			say(what)
			return false, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ownedEngines returns the engines that the App owns.
func (s *Session) ownedEngines(ctx context.Context, app client.Object) ([]containersv1alpha1.ContainerEngine, error) {
	api, err := s.API()
	if err != nil {
		return nil, err
	}
	var list containersv1alpha1.ContainerEngineList
	if err := api.List(ctx, &list); err != nil {
		return nil, client.IgnoreNotFound(err) // the kind may not be served
	}
	var owned []containersv1alpha1.ContainerEngine
	for i := range list.Items {
		if owner := metav1.GetControllerOf(&list.Items[i]); owner != nil && owner.UID == app.GetUID() {
			owned = append(owned, list.Items[i])
		}
	}
	return owned, nil
}

func describeEngine(engine *containersv1alpha1.ContainerEngine) string {
	what := fmt.Sprintf("the ContainerEngine %s/%s", engine.Namespace, engine.Name)
	if ready := apimeta.FindStatusCondition(engine.Status.Conditions, containersv1alpha1.ConditionReady); ready != nil {
		what += " (" + describe(ready) + ")"
	}
	return what
}
