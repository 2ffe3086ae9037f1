// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mapping is a part of the address space.
type mapping struct{ start, end uintptr }

// unmapProgram removes the program's pages from the daemon's address space: most of
// them were used only for the start. They stay in the page cache, from which the kernel
// maps them again on access, 16 at a time.
func unmapProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer func() { _ = smaps.Close() }()
	mappings, err := unchanged(smaps, program)
	if err != nil {
		return err
	}
	for _, m := range mappings {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("unmap %x-%x: %w", m.start, m.end, errno)
		}
	}
	return nil
}

// unchanged returns the mappings of a file that are identical to the file: not
// writable, and never written, for example by a dynamic linker. The format is that of
// proc_pid_smaps(5).
func unchanged(smaps io.Reader, file string) ([]mapping, error) {
	var found []mapping
	var current mapping
	candidate := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		var m mapping
		var perms, offset, device string
		var inode uint64
		if n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %d", &m.start, &m.end, &perms, &offset, &device, &inode); n == 6 {
			current, candidate = m, strings.HasSuffix(line, " "+file) && !strings.Contains(perms, "w")
			continue
		}
		if value, ok := strings.CutPrefix(line, "Anonymous:"); ok && candidate && strings.TrimSpace(value) == "0 kB" {
			found = append(found, current)
		}
	}
	return found, lines.Err()
}
