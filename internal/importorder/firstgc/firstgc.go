// SPDX-License-Identifier: Apache-2.0

// Package firstgc puts a program's first collection of garbage off until there
// is some.
//
// The initialisation of Kubernetes' packages allocates 13 MB in every call of
// rdd, most of it for good, and Go collects at 4 MB first: four collections, a
// quarter of the CPU that a short command takes. To import this package is to
// have the first collection at 32 MB; from then on Go's default holds again, or
// what the program asks for. A GOGC in the environment is left as it is.
//
// It works as far as Go initialises packages whose imports are ready in the
// order of their import paths, and this one imports next to nothing.
package firstgc

import (
	"runtime"
	"runtime/debug"
)

const (
	// goDefault is Go's own limit to the growth of the heap, in per cent. The
	// first collection is at 4 MiB times that.
	goDefault = 100
	first     = 800
)

var _ = postpone()

func postpone() bool {
	if before := debug.SetGCPercent(first); before != goDefault {
		debug.SetGCPercent(before) // the environment asks for it
		return false
	}
	type garbage struct{ _ *byte }
	runtime.AddCleanup(&garbage{}, restore, struct{}{}) // is called after the first collection
	return true
}

// restore ends the exception, unless the program has asked for something else
// until then.
func restore(struct{}) {
	if before := debug.SetGCPercent(goDefault); before != first {
		debug.SetGCPercent(before)
	}
}
