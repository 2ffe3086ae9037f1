// SPDX-License-Identifier: Apache-2.0

//go:build !race

package mirror_test

// manyPorts is as many as there can be.
const manyPorts = 65_535
