// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// maxSize of a file, in bytes: a larger file was not written for this.
const maxSize = 64 << 20

// contents is what a file says, in the words of the API's status fields.
type contents struct {
	Namespaces []containersv1alpha1.ContainerNamespaceStatus `json:"namespaces"`
	// Images has an entry for each tag, and one for an image that has no tag:
	// one for each Image object. Those with the same ID are one image.
	Images     []containersv1alpha1.ImageStatus   `json:"images"`
	Volumes    []containersv1alpha1.VolumeStatus  `json:"volumes"`
	Networks   []containersv1alpha1.NetworkStatus `json:"networks"`
	Containers []containerEntry                   `json:"containers"`
}

type containerEntry struct {
	ID                                 string `json:"id"`
	containersv1alpha1.ContainerStatus `json:",inline"`
}

// readFile reads a regular file: the opening of a named pipe would wait for a
// writer, for ever.
func readFile(path string) ([]byte, error) { return regular.Read(path, maxSize) }

// parse reads a file in YAML or JSON. An error says where it is wrong.
func parse(content []byte) (world, error) {
	c, err := decode(content)
	if err != nil {
		return nil, err
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	return c.world()
}

func decode(content []byte) (contents, error) {
	var c contents
	text, err := toJSON(content)
	if err != nil {
		return c, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return c, errors.New("it must have lists called namespaces, images, volumes, networks and containers, each of them optional")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var err error
		switch name {
		case "namespaces":
			c.Namespaces, err = decodeList[containersv1alpha1.ContainerNamespaceStatus](name, fields[name])
		case "images":
			c.Images, err = decodeList[containersv1alpha1.ImageStatus](name, fields[name])
		case "volumes":
			c.Volumes, err = decodeList[containersv1alpha1.VolumeStatus](name, fields[name])
		case "networks":
			c.Networks, err = decodeList[containersv1alpha1.NetworkStatus](name, fields[name])
		case "containers":
			c.Containers, err = decodeList[containerEntry](name, fields[name])
		default:
			// The name is the file's, which may be no file for this.
			err = errors.New("unknown field; there are namespaces, images, volumes, networks and containers")
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// toJSON returns the one document of a file.
func toJSON(content []byte) ([]byte, error) {
	var found []byte
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notYAML(err)
		}
		text, err := yaml.YAMLToJSONStrict(document)
		switch {
		case err != nil:
			return nil, notYAML(err)
		case string(text) == "null": // nothing but comments
		case found != nil:
			return nil, errors.New("there is more than one document: only one can be served")
		default:
			found = text
		}
	}
	if found == nil {
		// Also what a file is for a moment while a program writes it.
		return nil, errors.New("it is empty; an engine with nothing in it is written {}")
	}
	return found, nil
}

// syntaxRE matches what the decoder of YAML says of where and why it failed, but
// for words of the file.
var syntaxRE = regexp.MustCompile(`line \d+|column \d+|mapping values are not allowed in this context|did not find expected [a-z' ]+|` +
	`already set in map|found character that cannot start any token|could not find expected '[^']'|found unexpected end of stream|` +
	`control characters are not allowed|found unknown escape character|unknown anchor|invalid (?:leading|trailing) UTF-8 octet`)

// notYAML says where a file is no YAML. The decoder's own error may have words of
// the file in it, which may be anybody's.
func notYAML(err error) error {
	found := slices.Compact(syntaxRE.FindAllString(err.Error(), 3))
	if len(found) == 0 {
		return errors.New("it is not YAML")
	}
	return fmt.Errorf("it is not YAML: %s", strings.Join(found, ", "))
}

func decodeList[T any](name string, text json.RawMessage) ([]T, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("%s: must be a list", name)
	}
	list := make([]T, len(entries))
	for i, text := range entries {
		if err := decodeEntry(text, &list[i]); err != nil {
			return nil, fmt.Errorf("%s[%d]%w", name, i, err)
		}
	}
	return list, nil
}

// decodeEntry decodes one field after the other, so that an error, which begins
// with a dot or a colon, can name the field: that of a wrong time does not.
func decodeEntry(text json.RawMessage, entry any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return errors.New(": must have fields, as in name: web")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil {
			return err
		}
		unknown, err := strictjson.UnmarshalStrict(one, entry)
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong):
			return fmt.Errorf(".%s: want %s, have %s", name, wrong.Type, wrong.Value)
		case err != nil:
			return fmt.Errorf(".%s: %w", name, err)
		case len(unknown) > 0:
			return fmt.Errorf(": %w", errors.Join(unknown...))
		}
	}
	return nil
}
