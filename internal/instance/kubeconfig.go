// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"net"
	"net/url"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
)

// DefaultNamespace is the default namespace of the App's objects, and of clients.
const DefaultNamespace = "rancher-desktop"

// WriteKubeconfig writes the kubeconfig for the API server at address (host:port), with
// the certificate authority ca.
func (i *Instance) WriteKubeconfig(address string, ca []byte, token string) error {
	name := i.ContextName()
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + address, CertificateAuthorityData: ca}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: DefaultNamespace}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err == nil {
		err = atomicfile.Write(i.ConfigFile(), data, fileMode)
	}
	if err != nil {
		return fault.New(fault.Failed, "write the kubeconfig", i.ConfigFile(), err)
	}
	return nil
}

// LastAddress returns the host and port in the kubeconfig, which are the last run's;
// empty if there is none.
func (i *Instance) LastAddress() string {
	config, err := clientcmd.LoadFromFile(i.ConfigFile())
	if err != nil {
		return ""
	}
	cluster, ok := config.Clusters[i.ContextName()]
	if !ok {
		return ""
	}
	server, err := url.Parse(cluster.Server)
	if err != nil {
		return ""
	}
	return server.Host
}

// LastPort returns the port of LastAddress; 0 if there is none.
func (i *Instance) LastPort() int {
	_, text, err := net.SplitHostPort(i.LastAddress())
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return int(port)
}
