// SPDX-License-Identifier: Apache-2.0

// Package firstgc postpones a program's first garbage collection until there is
// garbage.
//
// The initialisation of Kubernetes' packages allocates 13 MB in every call of
// rdd, most of it permanently, and Go's first collection is at 4 MB: four
// collections, a quarter of the CPU time of a short command. An import of this
// package moves the first collection to 32 MB; after it Go's default applies
// again, or what the program sets. GOGC in the environment takes precedence.
//
// It works because Go initialises packages whose imports are ready in the order
// of their import paths, and this one imports almost nothing.
package firstgc

import (
	"runtime"
	"runtime/debug"
)

const (
	// goDefault is Go's default limit of the heap's growth, in per cent. The
	// first collection is at that percentage of 4 MiB.
	goDefault = 100
	first     = 800
)

var _ = postpone()

func postpone() bool {
	if before := debug.SetGCPercent(first); before != goDefault {
		debug.SetGCPercent(before) // GOGC is set
		return false
	}
	type garbage struct{ _ *byte }
	runtime.AddCleanup(&garbage{}, restore, struct{}{}) // called after the first collection
	return true
}

// restore restores the default, unless the program has set another value.
func restore(struct{}) {
	if before := debug.SetGCPercent(goDefault); before != first {
		debug.SetGCPercent(before)
	}
}
