// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"sync"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// Session is a command's client for an instance: it reads and changes the App and LimaVMs,
// and waits for the result. It keeps one connection until that is lost. It is safe for
// concurrent use.
type Session struct {
	// Connect returns a client for the API server. It is called for the first request, and
	// again after a lost connection, because the daemon's address may have changed.
	Connect func() (client.WithWatch, error)
	// Alive, which may be nil, reports whether the daemon runs.
	Alive func() bool
	// Progress, which may be nil, is called with a description of the wait.
	Progress func(message string)
	// Percent, which may be nil, is called with the percentage of the virtual machine's
	// operation that is done; nil if it is unknown. The call may be from another goroutine.
	Percent func(percent *int32)
	// Clock must be set for waits.
	Clock clock.WithDelayedExecution

	mu  sync.Mutex
	api client.WithWatch // guarded by mu; nil if there is no connection
}

// API returns the client for the API server.
func (s *Session) API() (client.WithWatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.api == nil {
		api, err := s.Connect()
		if err != nil {
			return nil, err
		}
		s.api = api
	}
	return s.api, nil
}

// forget drops a client whose connection was lost: the next request makes another.
func (s *Session) forget(api client.WithWatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.api == api {
		s.api = nil
	}
}

// say reports the progress of the wait.
func (s *Session) say(format string, args ...any) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf(format, args...))
	}
}

// Lists of the kinds that are waited for.
func apps() client.ObjectList    { return &appv1alpha1.AppList{} }
func engines() client.ObjectList { return &containersv1alpha1.ContainerEngineList{} }
func vms() client.ObjectList     { return &limav1alpha1.LimaVMList{} }
