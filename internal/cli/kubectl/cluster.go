// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// masterEnv names the server where nothing else does.
const masterEnv = "KUBERNETES_MASTER"

// ForCluster is [Main] for `rdd kubectl`: without a cluster it fails with the reason and
// advice, where kubectl would try localhost:8080.
func ForCluster(args []string, advice string) int {
	flags := configFlags()
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		if err := noCluster(flags, config); err != nil {
			cmdutil.CheckErr(fmt.Errorf("%w; %s", err, advice)) // which ends the program, as kubectl's own errors do
		}
		return config
	}
	return run(args, flags)
}

// noCluster returns why no cluster is named, or nil if one is: by a flag, a kubeconfig,
// the environment, or the Pod that the program runs in.
func noCluster(flags *genericclioptions.ConfigFlags, config *rest.Config) error {
	if config.Host != "http://localhost:8080" || os.Getenv(masterEnv) != "" || set(flags.APIServer) {
		return nil
	}
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil //nolint:nilerr // kubectl says what is wrong with the file
	}
	name := raw.CurrentContext
	if set(flags.Context) {
		name = *flags.Context
	}
	cluster := ""
	if context := raw.Contexts[name]; context != nil {
		cluster = context.Cluster
	}
	if set(flags.ClusterName) {
		cluster = *flags.ClusterName
	}
	switch known := raw.Clusters[cluster]; {
	case known != nil && known.Server != "":
		return nil
	case len(raw.Clusters) == 0:
		return errors.New("no cluster: " + places(flags) + " names none")
	case cluster == "" && name == "" && len(raw.Contexts) > 0:
		return fmt.Errorf("no cluster: %s has no current context: choose one of %s with --context", places(flags), contexts(&raw))
	default:
		return fmt.Errorf("no cluster: the context %q in %s names no server", name, places(flags))
	}
}

func set(flag *string) bool { return flag != nil && *flag != "" }

// places are the files that kubectl reads.
func places(flags *genericclioptions.ConfigFlags) string {
	if set(flags.KubeConfig) {
		return *flags.KubeConfig
	}
	if list := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); list != "" {
		return clientcmd.RecommendedConfigPathEnvVar + " (" + list + ")"
	}
	return "~/.kube/config"
}

func contexts(raw *clientcmdapi.Config) string {
	return strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")
}
