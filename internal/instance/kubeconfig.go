// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"net/url"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// DefaultNamespace is where the App puts what it owns, unless told otherwise,
// and where clients look when they name none.
const DefaultNamespace = "rancher-desktop"

// WriteKubeconfig writes the kubeconfig for the API server at address
// (host:port), whose certificate ca vouches for.
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

// LastPort returns the port that the kubeconfig names, which is that of the run
// before; 0 where there is none.
func (i *Instance) LastPort() int {
	config, err := clientcmd.LoadFromFile(i.ConfigFile())
	if err != nil {
		return 0
	}
	cluster, ok := config.Clusters[i.ContextName()]
	if !ok {
		return 0
	}
	server, err := url.Parse(cluster.Server)
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(server.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return int(port)
}
