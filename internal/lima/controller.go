// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

const (
	// machinesAtOnce bounds concurrent reconciles: a slow limactl delays no other
	// machine.
	machinesAtOnce = 4
	// lookAgain is the interval for changes that cause no event: limactl is installed,
	// a name becomes free.
	lookAgain = 5 * time.Second
)

func setup(host manager.Host, cfg Config, probe *limactl.Probe) error {
	limactl.SweepScratch()
	r := &reconciler{Config: cfg, probe: probe, client: host.GetClient(), reader: host.GetAPIReader()}
	if err := host.Add(&r.machines); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(host).
		Named("limavm").
		WithOptions(controller.Options{MaxConcurrentReconciles: machinesAtOnce, NewQueue: manager.NewQueue}).
		For(&limav1alpha1.LimaVM{}, builder.WithPredicates(
			predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, liveness.WhenMarked(conditionsOf)))).
		Owns(&corev1.ConfigMap{}, builder.OnlyMetadata).
		WatchesRawSource(r.machines.waker.Source()).
		Complete(manager.Patient(r))
}

func conditionsOf(obj client.Object) []metav1.Condition {
	if object, ok := obj.(*limav1alpha1.LimaVM); ok {
		return object.Status.Conditions
	}
	return nil
}

// reconciler reads from the API server, not from a cache: with stale objects it could
// repeat an operation.
type reconciler struct {
	Config
	probe    *limactl.Probe
	client   client.Client
	reader   client.Reader
	machines machines
}

// scope is one reconcile of a LimaVM.
type scope struct {
	*reconciler
	before  *limav1alpha1.LimaVM
	vm      *limav1alpha1.LimaVM
	machine *machine
	wake    func(time.Duration)
	// copy is the virtual machine's own template, and desired the text to apply; empty
	// if there is none.
	copy     *corev1.ConfigMap
	desired  string
	limactl  *limactl.Client
	observed observation
	// ended is the operation that this reconcile found finished; opNone for none.
	ended opKind
	// stalled is the failed condition for which waiting does not help; nil for none.
	stalled *metav1.Condition
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (result reconcile.Result, err error) {
	vm := &limav1alpha1.LimaVM{}
	if err := r.reader.Get(ctx, request.NamespacedName, vm); err != nil {
		if apierrors.IsNotFound(err) {
			r.machines.forget(request)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	// The finalizer keeps the object until the virtual machine is deleted.
	if err := finalizer.Ensure(ctx, r.client, vm, finalizer.Cleanup); err != nil {
		return reconcile.Result{}, err
	}
	s := &scope{reconciler: r, before: vm.DeepCopy(), vm: vm, machine: r.machines.get(request, vm.UID), wake: r.machines.wake(request)}
	defer func() {
		s.reportStalled()
		err = errors.Join(err, manager.PatchStatus(ctx, s.client, s.before, s.vm))
	}()

	vm.Status.ObservedGeneration = vm.Generation
	vm.Status.Progress = nil
	if vm.DeletionTimestamp != nil {
		return s.delete(ctx, request)
	}
	return s.advance(ctx)
}

// advance starts the next operation towards the desired state.
func (s *scope) advance(ctx context.Context) (reconcile.Result, error) {
	taken, err := s.taken(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if taken != nil {
		s.conflict(taken)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	s.limactl = &limactl.Client{Home: s.Home} // enough to read files
	if err := s.ensureCopy(ctx); err != nil {
		return s.withoutTemplate(err)
	}
	s.vm.Status.TemplateConfigMap = s.copy.Name
	s.vm.Status.ReportedTemplateResourceVersion = s.copy.ResourceVersion
	if s.limactl, err = limactl.Open(ctx, s.probe, s.Limactl, s.Home); err != nil {
		s.unknown(err)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	switch exists, err := s.readTemplate(ctx); {
	case err != nil && exists: // limactl did not check it
		s.unknown(err)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	case err != nil:
		return s.withoutTemplate(err)
	}
	s.machine.attempts.of(s.vm.Generation, s.copy.ResourceVersion)
	if s.machine.op != nil {
		if busy := s.during(); busy {
			return reconcile.Result{}, nil // its completion wakes this reconciler
		}
	}
	if s.observed, err = s.observe(ctx); err != nil {
		s.unknown(err)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	return s.act(), nil
}

// taken returns the LimaVM that owns the instance of this name, nil if it is this one.
// Admission rejects a second LimaVM of a name, but not two at the same moment.
func (s *scope) taken(ctx context.Context) (*limav1alpha1.LimaVM, error) {
	other, err := sameName(ctx, s.reader, s.vm)
	if err != nil || other == nil || older(s.vm, other) {
		return nil, err
	}
	return other, nil
}

// during reports the progress of the current operation, and cancels it if it is no
// longer desired. It takes the result of a finished one.
func (s *scope) during() (busy bool) {
	op := s.machine.op
	state := op.State()
	if !state.Done {
		if s.outdated(op) {
			op.Cancel()
		}
		s.vm.Status.Progress = &state.Progress
		s.doing(op.kind, state.Progress.Message)
		return true
	}
	err := state.Err
	s.machine.op, s.ended = nil, op.kind
	switch {
	case err == nil:
		if op.kind != opBoot && s.machine.attempts.kind == op.kind {
			s.machine.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
		}
	case errors.Is(err, context.Canceled): // it was no longer desired
	case op.kind < opStop && op.template != s.desired: // nor is its result
	default:
		s.failed(op.kind, err)
	}
	return false
}

// outdated reports whether the current operation leads to a state that is no longer
// desired.
func (s *scope) outdated(op *operation) bool {
	switch op.kind {
	case opBoot:
		return !s.vm.ShouldRun() || op.template != s.desired || s.resetRequested()
	case opCreate:
		return op.template != s.desired || s.resetRequested()
	case opEdit, opStop:
		return s.resetRequested()
	}
	return false
}

// failed records a failure.
func (s *scope) failed(kind opKind, err error) {
	s.machine.attempts.fail(s.Config, kind, err)
	s.machine.restarting = s.machine.restarting || kind == opBoot
}

// begin starts an operation, unless it failed recently.
func (s *scope) begin(kind opKind, do func(context.Context, *actions) error) reconcile.Result {
	failed := &s.machine.attempts
	if wait := failed.until.Sub(s.Clock.Now()); wait > 0 && (failed.kind == kind || kind < opStop && failed.kind < opStop) {
		s.failing(wait)
		return reconcile.Result{RequeueAfter: wait}
	}
	if s.machine.watch != nil {
		s.machine.watch.cancel()
		s.machine.watch = nil
	}
	cfg, tool, name := s.Config, s.limactl, s.vm.Name
	s.machine.op = s.machines.start(s.Clock, kind, s.desired, s.wake, func(ctx context.Context, report func(limav1alpha1.Progress)) error {
		return do(ctx, &actions{Config: cfg, client: tool, name: name, report: report})
	})
	if s.machine.op == nil {
		return reconcile.Result{} // the controller is stopping
	}
	s.vm.Status.Progress = &limav1alpha1.Progress{Phase: kind.phase()}
	if kind == opBoot {
		s.vm.Status.Progress.Percent = ptr.To[int32](0)
	}
	s.doing(kind, "")
	return reconcile.Result{}
}
