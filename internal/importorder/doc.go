// SPDX-License-Identifier: Apache-2.0

// Package importorder is the place of packages that act by being imported: each
// one changes a default of Go or of a library before other packages of the
// program are initialised.
//
// Go initialises a package as soon as everything that it imports is initialised,
// and takes packages that are ready in the order of their import paths
// (https://go.dev/ref/spec#Package_initialization). This module's path sorts
// before k8s.io and sigs.k8s.io, and the packages beneath this one import next to
// nothing, so they come before the packages that they prepare. A library that
// grew an option for the same purpose would replace them; each has a test that
// fails if the order no longer helps.
//
//   - firstgc puts the first collection of garbage off until there is some.
//   - quiet stops the timers of work queues that nothing measures.
//   - english skips the loading of kubectl's translations.
package importorder
