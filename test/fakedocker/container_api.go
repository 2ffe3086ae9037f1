// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// act does something to a container, under the lock, and answers when it is done.
func (s *Server) act(w http.ResponseWriter, reference string, do func(c *ctr) error) error {
	s.mu.Lock()
	c, err := s.containerLocked(reference)
	if err == nil {
		err = do(c)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return noContent(w)
}

func (s *Server) startContainer(w http.ResponseWriter, _ *http.Request, reference string) error {
	return s.act(w, reference, func(c *ctr) error {
		switch c.state {
		case container.StatePaused:
			return refuse(http.StatusConflict, "cannot start a paused container, try unpause instead")
		case container.StateRunning:
			return notModified()
		}
		s.startLocked(c)
		return nil
	})
}

func (s *Server) stopContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	return s.act(w, reference, func(c *ctr) error {
		if !c.running() {
			return notModified()
		}
		if err := s.haltForLocked(c, r); err != nil {
			return err
		}
		s.reapLocked(c)
		return nil
	})
}

func (s *Server) restartContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	return s.act(w, reference, func(c *ctr) error {
		if c.running() {
			if err := s.haltForLocked(c, r); err != nil {
				return err
			}
		}
		s.startLocked(c)
		s.tellLocked(c, events.ActionRestart)
		return nil
	})
}

// haltForLocked stops a container that runs, as a request wants it.
func (s *Server) haltForLocked(c *ctr, r *http.Request) error {
	const terminate = 15
	signal, err := readSignal(c.config.StopSignal, terminate)
	if err != nil {
		signal = terminate
	}
	if signal, err = readSignal(query(r, "signal"), signal); err != nil {
		return err
	}
	s.haltLocked(c, signal, query(r, "t") == "0")
	return nil
}

func (s *Server) killContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	signal, err := readSignal(query(r, "signal"), 9)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(reference)
	if err != nil {
		return refuse(http.StatusNotFound, "Cannot kill container: %s: %v", reference, err)
	}
	if !c.running() {
		return refuse(http.StatusConflict, "Cannot kill container: %s: Container %s is not running", reference, c.id)
	}
	if s.signalLocked(c, signal) {
		s.reapLocked(c)
	}
	return noContent(w)
}

func (s *Server) pauseContainer(w http.ResponseWriter, _ *http.Request, reference string) error {
	return s.act(w, reference, func(c *ctr) error {
		switch {
		case !c.running():
			return refuse(http.StatusConflict, "Container %s is not running", c.id)
		case c.state == container.StatePaused:
			return refuse(http.StatusConflict, "Container %s is already paused", c.id)
		}
		s.enterLocked(c, container.StatePaused)
		s.tellLocked(c, events.ActionPause)
		return nil
	})
}

func (s *Server) unpauseContainer(w http.ResponseWriter, _ *http.Request, reference string) error {
	return s.act(w, reference, func(c *ctr) error {
		if c.state != container.StatePaused {
			// dockerd knows no better code for it.
			return refuse(http.StatusInternalServerError, "Container %s is not paused", c.id)
		}
		s.unpauseLocked(c)
		return nil
	})
}

func (s *Server) renameContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	given := query(r, "name")
	if given == "" {
		return refuse(http.StatusBadRequest, "Neither old nor new names may be empty")
	}
	return s.act(w, reference, func(c *ctr) error {
		name := strings.TrimPrefix(given, "/")
		if name == c.name {
			return refuse(http.StatusBadRequest, "Renaming a container with the same name as its current name")
		}
		if !validName(name) {
			return refuse(http.StatusBadRequest,
				"Error when allocating new name: Invalid container name (%s), only %s are allowed", given, nameCharacters)
		}
		if other := s.ctrs.byName[name]; other != nil {
			return refuse(http.StatusConflict, "Error when allocating new name: "+nameTaken, "/"+name, other.id)
		}
		delete(s.ctrs.byName, c.name)
		old := c.name
		c.name = name
		s.ctrs.byName[name] = c
		s.tellLocked(c, events.ActionRename, "oldName", "/"+old)
		return nil
	})
}

const nameTaken = "Conflict. The container name %q is already in use by container %q. " +
	"You have to remove (or rename) that container to be able to reuse that name."

func (s *Server) updateContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	var request container.UpdateConfig
	if err := readJSON(r, &request); err != nil {
		return err
	}
	if err := checkRestartPolicy(request.RestartPolicy); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(reference)
	if err != nil {
		return err
	}
	if request.RestartPolicy.Name != "" {
		host := *c.host
		host.RestartPolicy = request.RestartPolicy
		c.host = &host
	}
	s.tellLocked(c, events.ActionUpdate)
	return writeJSON(w, http.StatusOK, container.UpdateResponse{})
}

func checkRestartPolicy(policy container.RestartPolicy) error {
	switch policy.Name {
	case "", container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		if policy.MaximumRetryCount != 0 {
			return refuse(http.StatusBadRequest, "maximum retry count cannot be used with restart policy '%s'", policy.Name)
		}
	case container.RestartPolicyOnFailure:
		if policy.MaximumRetryCount < 0 {
			return refuse(http.StatusBadRequest, "maximum retry count cannot be negative")
		}
	default:
		return refuse(http.StatusBadRequest, "invalid restart policy '%s'", policy.Name)
	}
	return nil
}

func (s *Server) removeContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	if err := s.removalGate(r.Context(), reference, r.URL.RawQuery); err != nil {
		return err
	}
	return s.act(w, reference, func(c *ctr) error {
		const advice = " attempting removal or force remove"
		switch {
		case !c.running():
		case flag(r, "force"):
			s.signalLocked(c, 9)
		case c.state == container.StatePaused:
			return refuse(http.StatusConflict,
				"You cannot remove a paused container %s. Unpause and then stop the container before"+advice, c.id)
		default:
			return refuse(http.StatusConflict,
				"You cannot remove a running container %s. Stop the container before"+advice, c.id)
		}
		s.destroyLocked(c, flag(r, "v"))
		return nil
	})
}

// waitForContainer answers at once, and ends the answer when the container has
// ended or is gone.
func (s *Server) waitForContainer(w http.ResponseWriter, r *http.Request, reference string) error {
	s.mu.Lock()
	c, err := s.containerLocked(reference)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	done, over := c.ended, false
	switch condition := container.WaitCondition(query(r, "condition")); condition {
	case "", container.WaitConditionNotRunning:
		over = !c.running()
	case container.WaitConditionNextExit:
	case container.WaitConditionRemoved:
		done = c.gone
	default:
		s.mu.Unlock()
		return refuse(http.StatusBadRequest, "invalid condition: %q", condition)
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return errCut
	}
	if !over {
		select {
		case <-done:
		case <-r.Context().Done():
			return errCut
		}
	}
	s.mu.Lock()
	code := c.exitCode
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(container.WaitResponse{StatusCode: int64(code)})
	return nil
}
