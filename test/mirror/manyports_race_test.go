// SPDX-License-Identifier: Apache-2.0

//go:build race

package mirror_test

// manyPorts is fewer than there can be: the race detector makes the inspection of
// all of them take longer than the mirror waits without a word.
const manyPorts = 20_000
