// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
)

// AppNotSettled means: the App has not settled for long, or is stalled.
var AppNotSettled = &Diagnostic{
	Code: "app-not-settled", Severity: Warning, Title: "The App has not settled",
	Text:   "{reason}: {error}",
	Remedy: "see `{rdd} service log`, and the App's spec: `{rdd} ctl get app/app -o yaml`",
	DependsOn: []*Diagnostic{EngineNotAnswering, EngineWrongProtocol, EngineChanged, EngineConflict, EngineUnsupported, LimactlMissing, NoKVM, VMFailed,
		ControllerGone, StoreNotWritable},
	Reporter: Conditions,
	Rule: func(o *Observed) []evidence {
		if o.App == nil || o.App.DeletionTimestamp != nil {
			return nil
		}
		settled := apimeta.FindStatusCondition(o.App.Status.Conditions, appv1alpha1.ConditionSettled)
		if settled == nil || settled.Status == metav1.ConditionTrue ||
			o.Now.Sub(settled.LastTransitionTime.Time) < settlePatience && !apimeta.IsStatusConditionTrue(o.App.Status.Conditions, appv1alpha1.ConditionStalled) {
			return nil
		}
		return []evidence{{subject: theApp(), state: settled.Reason + settled.Message, inCondition: true,
			args: arguments{"reason", settled.Reason, "error", settled.Message}}}
	},
}

// ContextFailed means: RDD can't keep its Docker context.
var ContextFailed = &Diagnostic{
	Code: "context-failed", Severity: Warning, Title: "The Docker context can't be updated",
	Text:      "{error}",
	Remedy:    "fix what the message names: RDD retries within a minute. Until then use the engine with `docker -H {socket} ps`",
	Otherwise: "fix what the message names: RDD retries within a minute",
	Reporter:  AppEvents,
	Rule: func(o *Observed) []evidence {
		if o.App == nil || o.App.Status.DockerContextError == "" {
			return nil
		}
		failure, socket := o.App.Status.DockerContextError, o.App.Status.DockerSocket
		if !isLocal(socket) {
			socket = "" // the connection may need certificates
		}
		return []evidence{{subject: theApp(), state: failure, args: arguments{"error", failure, "socket", socket}}}
	},
}

// ContextTakenOver means: another program changed the Docker context.
var ContextTakenOver = &Diagnostic{
	Code: "context-taken-over", Severity: Warning, Title: "Another program changed the Docker context",
	Text: "{what}", Remedy: "{how}", DependsOn: []*Diagnostic{EngineNotAnswering, ContextFailed},
	Reporter: AppEvents,
	Rule: func(o *Observed) []evidence {
		what, how := o.contextChange()
		if what == "" {
			return nil
		}
		return []evidence{{subject: theApp(), state: what, args: arguments{"what", what, "how", how}}}
	},
}

// contextChange compares the context for the App's engine with what RDD made it, and
// returns what is different and what to do about it; empty for nothing. While the App
// settles RDD may be about to make it something else.
func (o *Observed) contextChange() (what, how string) {
	c := o.Contexts
	if c == nil || o.App == nil || o.App.Status.DockerContext == "" || o.App.Status.DockerSocket == "" || !isSettled(o.App) {
		return "", ""
	}
	name, want := o.App.Status.DockerContext, o.App.Status.DockerSocket
	switch {
	case c.Host == "":
		return fmt.Sprintf("the Docker context %s does not exist: another program removed it", name),
			fmt.Sprintf("`docker context create %s --docker host=%s`, or `%s stop` and `%[3]s start`", name, want, o.Command)
	case c.Host != want:
		return fmt.Sprintf("the Docker context %s is for %s, and RDD's engine is at %s: another program changed it", name, c.Host, want),
			fmt.Sprintf("`docker context update %s --docker host=%s`", name, want)
	case c.Chosen && c.Current != name:
		return fmt.Sprintf("the current Docker context is %s instead of %s: `docker` uses another engine", c.Current, name),
			fmt.Sprintf("nothing if this is intended; otherwise `docker context use %s`", name)
	}
	return "", ""
}

func isSettled(app *appv1alpha1.App) bool {
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	return settled != nil && settled.Status == metav1.ConditionTrue && settled.ObservedGeneration == app.Generation
}
