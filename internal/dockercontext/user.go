// SPDX-License-Identifier: Apache-2.0

package dockercontext

// User are the contexts of a user, for those who only read them.
type User struct{ contexts *contexts }

// Open returns the contexts that Docker's client would use. Nothing is read yet.
func Open(getenv func(string) string) (User, error) {
	dir, err := Dir(getenv)
	if err != nil {
		return User{}, err
	}
	return User{open(dir)}, nil
}

// Current returns the name of the current context, empty where none is set.
func (u User) Current() (string, error) { return u.contexts.current() }

// Host returns where a context's engine is, as DOCKER_HOST would have it. That of
// no name is the client's default. [ErrNoContext] says that there is no such
// context.
func (u User) Host(name string) (string, error) {
	found, err := u.contexts.get(name)
	return found.host, err
}
