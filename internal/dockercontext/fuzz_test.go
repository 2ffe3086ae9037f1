// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzConfig changes the current context in a configuration: that it is what is
// read then, and that all else is as before.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"", "{}", " \n{\n\t\"auths\": {}\n}\n", `{"currentContext":"a"}`, `{"a":1,"currentContext":"b","c":[{}]}`, `{ "CURRENTCONTEXT" : "a" , "b":2}`,
		`{"currentContext":"a","currentcontext":"b"}`, `{"currentContext":null}`, `{"currentContext":7}`, `[]`, `{} {}`, `{"a":1,}`, "{\"\u212aurrentContext\":\"x\"}",
		`{"currentContext":"\ud800"}`, "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(seed), "rdd")
		f.Add([]byte(seed), "")
	}
	f.Add([]byte(`{"currentContext":"a"}`), "\"\\\x00\u2028<")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		value, err := findCurrent(data)
		if err != nil || !utf8.ValidString(name) {
			return
		}
		changed := value.replaced(data, name)
		after, err := findCurrent(changed)
		if err != nil {
			t.Fatalf("it can't be read again: %v: %q", err, changed)
		}
		if after.text != name {
			t.Errorf("the current context is %q, want %q: %q", after.text, name, changed)
		}
		if before, now := others(data), others(changed); !reflect.DeepEqual(before, now) {
			t.Errorf("what else there is was %v and is %v", before, now)
		}
		if back, err := findCurrent(after.replaced(changed, value.text)); err != nil || back.text != value.text {
			t.Errorf("put back it is %q, was %q: %v", back.text, value.text, err)
		}
	})
}

// others returns all members but the current context.
func others(data []byte) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(data, &members)
	for key := range members {
		if strings.EqualFold(key, currentKey) {
			delete(members, key)
		}
	}
	return members
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(`{"Name":"x","Metadata":{"Description":"d"},"Endpoints":{"docker":{"Host":"unix:///x","SkipTLSVerify":false}}}`))
	f.Add([]byte(`{"Name":"y","Endpoints":{"docker":7}}`))
	f.Add([]byte(`{"Name":"x","Metadata":[],"Endpoints":null}`))
	f.Fuzz(func(t *testing.T, meta []byte) {
		c := open(t.TempDir())
		if err := c.write("x", "d", "unix:///first", nil); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(c.dir, "contexts", "meta", "*", "meta.json"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%q: %v", files, err)
		}
		if err := os.WriteFile(files[0], meta, 0o600); err != nil {
			t.Fatal(err)
		}
		if have, err := c.get("x"); err == nil && have.host == "" {
			t.Error("it has no host")
		}
	})
}
