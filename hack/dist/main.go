// SPDX-License-Identifier: Apache-2.0

// Command dist is `make dist`: it builds the programs for other platforms, and packs
// them. The same commit and Go version give the same bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// dist is a distribution. Paths are relative to the root of the checkout, where the
// program runs.
type dist struct {
	version string
	// modified is the time of all files in archives.
	modified time.Time
	ldflags  string
	out      string // the directory of the archives
	rdd      string // a program that runs here, for the completions
	man      string // the directory of the pages of section 1
	// maintainer is the maintainer of the Debian packages: a name and an address.
	maintainer string
}

// platform is an operating system and an architecture, as Go names them.
type platform struct{ os, arch string }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var d dist
	var seconds int64
	flags := flag.NewFlagSet("dist", flag.ExitOnError)
	flags.StringVar(&d.version, "version", "", "the version of RDD")
	flags.Int64Var(&seconds, "time", 0, "the time of all files, in seconds since 1970")
	flags.StringVar(&d.ldflags, "ldflags", "", "flags for Go's linker")
	flags.StringVar(&d.out, "out", "dist", "the directory of the archives")
	flags.StringVar(&d.rdd, "rdd", filepath.Join("bin", "rdd"), "a program that runs here")
	flags.StringVar(&d.man, "man", filepath.Join("dist", "man", "man1"), "the directory of the manual pages")
	flags.StringVar(&d.maintainer, "maintainer", "", "the maintainer of the packages: `name <address>`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if d.version == "" || d.maintainer == "" || seconds == 0 || flags.NArg() == 0 {
		return errors.New("-version, -time, -maintainer and at least one platform such as linux/amd64 are required")
	}
	d.modified = time.Unix(seconds, 0).UTC()
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	common, err := d.common(ctx)
	if err != nil {
		return err
	}
	for _, name := range flags.Args() {
		system, arch, found := strings.Cut(name, "/")
		if !found {
			return fmt.Errorf("%q is not a platform, such as linux/amd64", name)
		}
		if err := d.pack(ctx, platform{system, arch}, common); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return d.sums()
}

// pack builds the programs of a platform, and removes them when its archives exist.
func (d *dist) pack(ctx context.Context, p platform, common *common) error {
	fmt.Println("==", p.os+"/"+p.arch)
	programs, err := os.MkdirTemp(d.out, "programs-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(programs) }()
	if err := d.build(ctx, p, programs); err != nil {
		return err
	}
	rdd, controllers, err := p.split(programs)
	if err != nil {
		return err
	}
	notices, err := notices(ctx, append(controllers, rdd))
	if err != nil {
		return err
	}
	return d.archives(p, common, rdd, controllers, notices)
}

// archives writes the archives of a platform.
func (d *dist) archives(p platform, common *common, rdd string, controllers []string, notices []byte) error {
	if err := d.archive("rdd", p, common.main(p, rdd, notices)); err != nil {
		return err
	}
	if err := d.archive("rdd-controllers", p, common.controllers(controllers, notices)); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	return d.debian(p, common, rdd, notices)
}
