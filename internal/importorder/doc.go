// SPDX-License-Identifier: Apache-2.0

// Package importorder contains packages that act when they are imported: each
// changes a default of Go or of a library before other packages of the program
// are initialised.
//
// Go initialises a package as soon as everything that it imports is initialised,
// and takes packages that are ready in the order of their import paths
// (https://go.dev/ref/spec#Package_initialization). This module's path sorts
// before k8s.io and sigs.k8s.io, and the packages beneath this one import almost
// nothing, so they are initialised before the packages that they prepare. If a
// library adds an option for the same purpose, that replaces a package. Each
// package has a test that fails if the order no longer works.
//
//   - firstgc postpones the first garbage collection.
//   - quiet stops the timers of work queues without metrics.
//   - english skips the loading of kubectl's translations.
package importorder
