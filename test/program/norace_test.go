// SPDX-License-Identifier: Apache-2.0

//go:build !race

package program_test

// raceEnabled is whether the programs are built with the race detector, as the
// tests are.
const raceEnabled = false
