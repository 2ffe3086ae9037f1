// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// answering returns what answers with a text.
func answering(contentType string, status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// TestInvalidListsDeleteNothing: an answer that is no list is a failed list, and
// not one with nothing in it.
func TestInvalidListsDeleteNothing(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	e.equal("moby")
	before := e.versions()
	e.setResync(ce, time.Second)
	lists := []fakedocker.List{fakedocker.Containers, fakedocker.Images, fakedocker.Volumes}
	for name, answer := range map[string]http.HandlerFunc{
		"empty": answering("application/json", 200, ""), "null": answering("application/json", 200, "null"), "an object": answering("application/json", 200, "{}"),
		"a web page": answering("text/html", 200, "[]"), "no content": answering("application/json", 204, ""),
	} {
		for _, list := range lists {
			engine.SetAnswer(string(list), answer)
		}
		asked := engine.Requests()
		for _, list := range lists {
			e.eventually("the lists are asked for again", func() (bool, string) {
				return engine.Requests()[string(list)] > asked[string(list)], string(list)
			})
		}
		e.eventually("the status says that lists fail: "+name, func() (bool, string) {
			failed, message := e.failedLists()
			return failed == int32(len(lists)), message
		})
		if after := e.versions(); !maps.Equal(before, after) {
			t.Errorf("%s: the mirrors changed from %v to %v", name, before, after)
		}
	}
	for _, list := range lists {
		engine.SetAnswer(string(list), nil)
	}
	e.equal("moby")
}

// failedLists returns how many problems the ContainerEngine moby counts if the worst
// is a list that failed, else 0, and what it says.
func (e *env) failedLists() (int32, string) {
	ce := e.getEngine("moby")
	complete := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionComplete)
	if complete == nil || complete.Reason != containersv1alpha1.ReasonListFailed {
		return 0, fmt.Sprintf("%+v", complete)
	}
	return ce.Status.Failed, complete.Message
}

// TestOddIDsInAList: an object without a usable ID costs neither the others nor the
// engine its rest.
func TestOddIDsInAList(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage})[0]
	entry := `{"Id":%q,"Names":["/c"],"State":"created","Status":"Created"}`
	engine.SetAnswer(string(fakedocker.Containers), answering("application/json", 200, "["+fmt.Sprintf(entry, "")+","+fmt.Sprintf(entry, id)+","+fmt.Sprintf(entry, "a\nb")+"]"))
	ce := e.connect("moby")
	e.eventually("the container with an ID is mirrored", func() (bool, string) {
		var list containersv1alpha1.ContainerList
		e.list(&list)
		return len(list.Items) == 1 && list.Items[0].Name == id, fmt.Sprint(len(list.Items))
	})
	e.eventually("the status says what is left out", func() (bool, string) {
		e.must(e.kube.Get(t.Context(), keyOf(ce), ce))
		for _, condition := range ce.Status.Conditions {
			if strings.Contains(condition.Message, "2 entries that can't be mirrored") {
				return true, ""
			}
		}
		return false, fmt.Sprint(ce.Status.Conditions)
	})
	asked := engine.Requests()[string(fakedocker.Containers)]
	e.turns(engine.Server, 20, string(fakedocker.Containers))
	if now := engine.Requests()[string(fakedocker.Containers)]; now > asked+1 {
		t.Errorf("%d lists with nothing to do", now-asked)
	}
}
