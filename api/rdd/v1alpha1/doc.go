// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is version v1alpha1 of the API group rdd.rancherdesktop.io:
// information about the machine that RDD runs on.
//
// +kubebuilder:object:generate=true
// +groupName=rdd.rancherdesktop.io
package v1alpha1

import (
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this version of the group.
var GroupVersion = schema.GroupVersion{Group: "rdd.rancherdesktop.io", Version: "v1alpha1"}

// AddToScheme registers the types of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &HostInfo{}, &HostInfoList{})
	v1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
