// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"debug/pe"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// root returns the system directory.
func root() string {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return ""
	}
	return dir
}

// architecture detects the emulation that runs programs for amd64 on arm64.
func architecture() string {
	var process, machine uint16
	if err := windows.IsWow64Process2(windows.CurrentProcess(), &process, &machine); err != nil {
		return runtime.GOARCH
	}
	switch machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		return "amd64"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		return "arm64"
	}
	return runtime.GOARCH
}

// memoryStatusEx is MEMORYSTATUSEX of the Windows API.
type memoryStatusEx struct {
	length               uint32
	load                 uint32
	totalPhysical        uint64
	availPhysical        uint64
	totalPageFile        uint64
	availPageFile        uint64
	totalVirtual         uint64
	availVirtual         uint64
	availExtendedVirtual uint64
}

func memory() (int64, error) {
	status := memoryStatusEx{}
	status.length = uint32(unsafe.Sizeof(status))
	query := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, err := query.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return 0, fmt.Errorf("GlobalMemoryStatusEx: %w", err)
	}
	return bytesOf(status.totalPhysical, 1), nil
}

// Space returns the user's free space on the file system of the directory, and its
// size, in bytes.
func Space(dir string) (free, total int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var available, size uint64
	if err := windows.GetDiskFreeSpaceEx(path, &available, &size, nil); err != nil {
		return 0, 0, err
	}
	return bytesOf(available, 1), bytesOf(size, 1), nil
}

// ReadOnly reports whether the file system of a directory is read-only.
func ReadOnly(dir string) bool {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return false
	}
	volume := make([]uint16, windows.MAX_LONG_PATH)
	if windows.GetVolumePathName(path, &volume[0], uint32(len(volume))) != nil {
		return false
	}
	var flags uint32
	err = windows.GetVolumeInformation(&volume[0], nil, 0, nil, nil, &flags, nil, 0)
	return err == nil && flags&windows.FILE_READ_ONLY_VOLUME != 0
}

// virtualization returns whether the command of WSL exists.
func (p Places) virtualization() rddv1alpha1.Virtualization {
	if _, err := os.Stat(filepath.Join(p.Root, "wsl.exe")); err != nil {
		return rddv1alpha1.Virtualization{Type: rddv1alpha1.VirtualizationNone,
			Reason: "wsl.exe was not found: install the Windows Subsystem for Linux"}
	}
	return rddv1alpha1.Virtualization{Available: true, Type: rddv1alpha1.VirtualizationWSL2}
}

// candidates returns the usual pipes of engines, first the one in DOCKER_HOST.
func (p Places) candidates() []candidate {
	var all []candidate
	add := func(kind containersv1alpha1.EngineType, names ...string) {
		for _, name := range names {
			all = append(all, candidate{kind: rddv1alpha1.EngineType(kind), url: endpoint.ForPipe(name), name: name})
		}
	}
	for _, known := range traits.All() {
		if name := endpoint.PipeName(p.DockerHost); name != "" && known.IsDockerAPI {
			add(known.Type, name)
		}
		add(known.Type, known.Pipes...)
	}
	return all
}

// engines returns the existing pipes.
func (p Places) engines() []rddv1alpha1.Engine {
	pipes := pipeNames()
	var found []rddv1alpha1.Engine
	for _, e := range p.candidates() {
		// Names of pipes are case-insensitive.
		if name := strings.ToLower(e.name); pipes[name] {
			found = append(found, rddv1alpha1.Engine{Type: e.kind, Endpoint: e.url, Accessible: true})
			delete(pipes, name)
		}
	}
	return found
}

// pipeNames returns the names of all pipes, in lower case. It lists them, because
// checking a single pipe connects to it.
func pipeNames() map[string]bool {
	names := map[string]bool{}
	pattern, err := windows.UTF16PtrFromString(`\\.\pipe\*`)
	if err != nil {
		return names
	}
	var data windows.Win32finddata
	search, err := windows.FindFirstFile(pattern, &data)
	for ; err == nil; err = windows.FindNextFile(search, &data) {
		names[strings.ToLower(windows.UTF16ToString(data.FileName[:]))] = true
	}
	if search != windows.InvalidHandle {
		_ = windows.FindClose(search)
	}
	return names
}
