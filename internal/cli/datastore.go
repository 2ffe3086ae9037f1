// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// datastoreFlags name the datastore of a new instance.
type datastoreFlags struct {
	address, addressFile      string
	caFile, certFile, keyFile string
}

const (
	endpointFlag     = "datastore-endpoint"
	endpointFileFlag = "datastore-endpoint-file"

	maxAddress = 64 << 10 // bytes of a file with an address
)

func addDatastoreFlags(cmd *cobra.Command, d *datastoreFlags) {
	cmd.Flags().StringVar(&d.address, endpointFlag, "",
		"`endpoint` of the datastore (http://HOST:PORT of an etcd, postgres://…, mysql://…, nats://…) instead of a file of the instance; "+
			"other users can read a command line: for an endpoint with a password use --"+endpointFileFlag+" or $"+datastore.EndpointEnv)
	cmd.Flags().StringVar(&d.addressFile, endpointFileFlag, "",
		"`file` with the datastore endpoint, readable only by you (mode 0600); defaults to $"+datastore.EndpointEnv)
	cmd.Flags().StringVar(&d.caFile, "datastore-cafile", "", "CA certificate `file` for the datastore's certificate")
	cmd.Flags().StringVar(&d.certFile, "datastore-certfile", "", "client certificate `file` for the datastore")
	cmd.Flags().StringVar(&d.keyFile, "datastore-keyfile", "", "key `file` for the client certificate")
}

// datastore returns the datastore that the flags or the environment name. It warns of a
// password on the command line.
func (e *env) datastore(flags *pflag.FlagSet, d *datastoreFlags) (datastore.Endpoint, error) {
	given := datastore.Endpoint{CAFile: d.caFile, CertFile: d.certFile, KeyFile: d.keyFile}
	switch {
	case flags.Changed(endpointFileFlag) && flags.Changed(endpointFlag):
		return given, command.Usage("--%s and --%s are mutually exclusive", endpointFlag, endpointFileFlag)
	case flags.Changed(endpointFileFlag):
		address, err := readAddress(d.addressFile)
		if err != nil {
			return given, command.Usage("--%s: %w", endpointFileFlag, err)
		}
		given.Address = address
	case flags.Changed(endpointFlag):
		given.Address = datastore.NewAddress(d.address)
		if given.Address.HasSecret() {
			e.Say("Warning: all users of this machine can read the password in a command line. Use --%s or %s, and change the password.",
				endpointFileFlag, datastore.EndpointEnv)
		}
	default:
		given = datastore.FromEnv()
		if err := given.Check(); err != nil {
			return given, command.Usage("%s: %w", datastore.EndpointEnv, err)
		}
	}
	if err := given.Check(); err != nil {
		return given, command.Usage("%w", err)
	}
	return given, nil
}

// readAddress reads an address from a file that only its owner may read.
func readAddress(path string) (datastore.Address, error) {
	info, err := os.Stat(path)
	if err != nil {
		return datastore.Address{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return datastore.Address{}, errors.New(path + " can be read or written by other users: run `chmod 600 " + path + "`")
	}
	data, err := regular.Read(path, maxAddress)
	if err != nil {
		return datastore.Address{}, err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return datastore.Address{}, errors.New(path + " is empty")
	}
	if strings.ContainsAny(text, "\r\n") {
		return datastore.Address{}, errors.New(path + " has more than one line")
	}
	return datastore.NewAddress(text), nil
}
