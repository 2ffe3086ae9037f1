// SPDX-License-Identifier: Apache-2.0

package dockercontext

// User reads the contexts of a user.
type User struct{ contexts *contexts }

// Open returns the contexts that Docker's client would use. It does not read files.
func Open(getenv func(string) string) (User, error) {
	dir, err := Dir(getenv)
	if err != nil {
		return User{}, err
	}
	return User{open(dir)}, nil
}

// Current returns the name of the current context; empty if none is set.
func (u User) Current() (string, error) { return u.contexts.current() }

// Host returns the endpoint of a context, as in DOCKER_HOST; for an empty name the
// client's default. The error is [ErrNoContext] if the context does not exist.
func (u User) Host(name string) (string, error) {
	found, err := u.contexts.get(name)
	return found.host, err
}
