// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/hostile"
)

const (
	// callLimit is how long a caller waits for an answer that comes, however large.
	callLimit = time.Minute
	// quietLimit likewise, for one that does not come.
	quietLimit = 300 * time.Millisecond
	// grace is how much later a call may return than its context ends.
	grace = 2 * time.Second
	// longestID is how long an ID may be that is believed, in bytes.
	longestID = 4 << 10
)

// outcome is what a call returned.
type outcome struct {
	err     error
	items   []engine.Item
	listed  bool
	objects []engine.Object
	events  []engine.Event
	info    *engine.Info
}

// operation is a call of an engine.
type operation struct {
	name string
	// surfaces are those that it asks for.
	surfaces []string
	// statusOnly has those of which only the status counts.
	statusOnly bool
	// endless says that what it reads has no end by itself.
	endless bool
	run     func(ctx context.Context, e engine.Engine) outcome
}

// attack runs an operation against an answer, and checks what comes of it.
func attack(t *testing.T, proxy *hostile.Proxy, e engine.Engine, op operation, surface string, answer hostile.Answer) {
	t.Helper()
	limit := callLimit
	if answer.Quiet || op.endless || patient(op, surface, answer) {
		limit = quietLimit
	}
	if !attackFor(t, proxy, e, op, surface, answer, limit) && !attackFor(t, proxy, e, op, surface, answer, 5*time.Second) { // on a busy machine
		t.Errorf("%s was not asked for", surface)
	}
}

// attackFor is attack with a limit for the call. It reports whether the surface was
// asked for.
func attackFor(t *testing.T, proxy *hostile.Proxy, e engine.Engine, op operation, surface string, answer hostile.Answer, limit time.Duration) bool {
	t.Helper()
	proxy.Attack(surface, answer)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	returned := make(chan outcome, 1)
	began := time.Now()
	go func() { returned <- op.run(ctx, e) }()
	var result outcome
	select {
	case result = <-returned:
	case <-time.After(limit + grace):
		t.Errorf("it has not returned %v after its context ended", grace)
		proxy.Lift()
		<-returned
		return true
	}
	took := time.Since(began)
	if proxy.Served() == 0 {
		t.Logf("%s was not asked for within %v: %v", surface, limit, result.err)
		return false
	}
	if !answer.Quiet && !op.endless && took >= callLimit && !patient(op, surface, answer) {
		t.Errorf("it took %v", took)
	}
	if proxy.Overrun() && !op.endless {
		t.Errorf("it read %d bytes, and would have read more", hostile.Most)
	}
	check(t, op, surface, answer, result)
	return true
}

// patient says which answers may take as long as they come: a pull that goes on,
// and a list of more namespaces than can be asked for.
func patient(op operation, surface string, answer hostile.Answer) bool {
	return (op.name == "Pull" && answer.Name == "EndlessList") || (surface == hostile.Namespaces && answer.Name == "HugeList")
}

func check(t *testing.T, op operation, surface string, answer hostile.Answer, result outcome) {
	t.Helper()
	if errors.Is(result.err, engine.ErrNotFound) && !emptyMessage(surface, answer) && surface != hostile.Namespaces {
		t.Errorf("it takes the object for gone: %v", short(result.err))
	}
	if result.err == nil && (answer.Fails || (answer.Garbage && !op.statusOnly)) && !excused(op, surface, answer) {
		t.Errorf("no error: %d items, %d objects, info %+v", len(result.items), len(result.objects), result.info)
	}
	if result.listed && result.err == nil && len(result.items) == 0 && !emptyMessage(surface, answer) &&
		(surface != hostile.ListVolumes || answer.Name != "Nulls") { // which is how Docker writes that there are none
		t.Error("it lists nothing, without an error")
	}
	for _, item := range result.items {
		checkKey(t, item.Key)
		_ = item.Current(engine.Object{}, time.Now())
	}
	for _, object := range result.objects {
		checkKey(t, object.Key)
		if object.Affects != (engine.Key{}) {
			checkKey(t, object.Affects)
		}
	}
	for i, event := range result.events {
		if event.Key.ID != "" {
			checkKey(t, event.Key)
		}
		if i > 100 {
			break
		}
	}
}

// excused says where an answer that is garbage elsewhere is none.
func excused(op operation, surface string, answer hostile.Answer) bool {
	switch {
	case surface == hostile.Ping:
		// Clients take any answer for a sign of life, and go on without its headers.
		return true
	case surface == hostile.Logs, surface == hostile.StartExec:
		// What a container wrote may be anything; Logs returns before it comes.
		return !answer.Fails || answer.Quiet
	case surface == hostile.Pull && !answer.Fails:
		// What counts is that the image is there afterwards, which is looked at.
		return answer.Name != "HTML" && answer.Name != "Half"
	case surface == hostile.CreateExec, surface == hostile.InspectExec:
		return answer.Name == "WrongContentType"
	case surface == hostile.Streaming, surface == hostile.Publish:
		return true // it tells of progress, and that events come; that they don't is seen elsewhere
	case surface == hostile.ContentRead, surface == hostile.CRIStatus && answer.Name == "OtherPath", surface == hostile.GetImage && answer.Name == "OtherPath":
		return !answer.Fails || answer.Name == "OtherPath" // what it has is of no account, and it may not be there
	}
	return emptyMessage(surface, answer)
}

// emptyMessage says where a message without what it should have can't be distinguished from
// one which says that there is nothing: in those of protobuf that is the same. It
// is for those who ask for more than a list to find out.
func emptyMessage(surface string, answer hostile.Answer) bool {
	switch surface {
	case hostile.Namespaces, hostile.Images, hostile.Tasks, hostile.Transfer, hostile.Plugins, hostile.ContainerdVersion:
		return answer.Name == "Null" || answer.Name == "WrongType"
	case hostile.Containers:
		return answer.Name == "Empty"
	}
	return false
}

func checkKey(t *testing.T, key engine.Key) {
	t.Helper()
	control := strings.IndexFunc(key.ID, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' || r == utf8.RuneError }) >= 0
	if key.ID == "" || len(key.ID) > longestID || !utf8.ValidString(key.ID) || control {
		t.Errorf("it takes the ID %.40q (%d bytes) of a %s", key.ID, len(key.ID), key.Kind)
	}
}

// short returns an error's text for a report.
func short(err error) string {
	text := err.Error()
	return text[:min(len(text), 300)]
}
