// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestMessages: each message counts by itself, whatever is between two of them.
func TestMessages(t *testing.T) {
	t.Parallel()
	fits := `{"a":"` + strings.Repeat("x", Message-10) + `"}`
	for name, test := range map[string]struct {
		text string
		want int
		fail error
	}{
		"lines":              {"{}\n{\"a\":[1,{}]}\n", 2, nil},
		"nothing between":    {`{}{"a":"}{"}{"b":"\"}{"}`, 3, nil},
		"separators":         {"\x1e{}\n\x1e{\"a\":1}\n", 2, nil},
		"the largest, twice": {fits + fits, 2, nil},
		"too large":          {"{}" + `{"a":"` + strings.Repeat("x", Message) + `"}`, 1, ErrTooLarge},
		"no object":          {strings.Repeat("1", 2*Message), 0, ErrTooLarge},
		"half":               {`{}{"a":`, 1, io.ErrUnexpectedEOF},
	} {
		for way, reader := range map[string]io.Reader{
			"at once": strings.NewReader(test.text), "byte for byte": iotest.OneByteReader(strings.NewReader(test.text)),
		} {
			if len(test.text) > 1000 && way == "byte for byte" {
				continue // it would take seconds
			}
			messages := NewMessages(reader, "a message", time.Minute, func(error) {})
			n := 0
			var err error
			for ; err == nil; n++ {
				_, err = messages.Next()
			}
			if n-1 != test.want || (test.fail == nil && !errors.Is(err, io.EOF)) || (test.fail != nil && !errors.Is(err, test.fail)) {
				t.Errorf("%s %s: %d messages, then %v; want %d, %v", name, way, n-1, err, test.want, test.fail)
			}
		}
	}
}

// TestSpaceBetweenMessages: nothing is kept of it.
func TestSpaceBetweenMessages(t *testing.T) {
	t.Parallel()
	space := io.LimitReader(repeated(" \n"), 20*Message)
	messages := NewMessages(io.MultiReader(space, strings.NewReader("{}")), "a message", time.Minute, func(error) {})
	if text, err := messages.Next(); err != nil || string(text) != "{}" {
		t.Errorf("%.20q, %v", text, err)
	}
}

// TestStall: a message that was begun must come to its end, and the silence before
// it may last for ever.
func TestStall(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(io.Writer){
		"half":    func(w io.Writer) { _, _ = io.WriteString(w, `{"a":`) },
		"trickle": func(w io.Writer) { trickle(w) },
	} {
		reader, writer := io.Pipe()
		messages := NewMessages(reader, "a message", 50*time.Millisecond, func(err error) { _ = reader.CloseWithError(err) })
		go func() {
			time.Sleep(150 * time.Millisecond) // longer than the limit
			_, _ = io.WriteString(writer, "{}\n")
			write(writer)
		}()
		if _, err := messages.Next(); err != nil {
			t.Errorf("%s: after a silence: %v", name, err)
		}
		if _, err := messages.Next(); !errors.Is(err, ErrStalled) {
			t.Errorf("%s: %v", name, err)
		}
		_ = reader.Close()
	}
}

func trickle(w io.Writer) {
	for text := `{"a":"`; ; text = "x" {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// repeated is a text without end.
type repeated string

// Read implements [io.Reader].
func (r repeated) Read(p []byte) (int, error) {
	n := 0
	for n+len(r) <= len(p) {
		n += copy(p[n:], r)
	}
	if n == 0 {
		n = copy(p, r[:1])
	}
	return n, nil
}

func TestReader(t *testing.T) {
	t.Parallel()
	for n, fails := range map[int]bool{0: false, 9: false, 10: false, 11: true, 1000: true} {
		for way, wrap := range map[string]func(io.Reader) io.Reader{"": func(r io.Reader) io.Reader { return r }, " byte for byte": iotest.OneByteReader, " with the end": iotest.DataErrReader} {
			got, err := io.ReadAll(NewReader(wrap(strings.NewReader(strings.Repeat("x", n))), "it", 10))
			if errors.Is(err, ErrTooLarge) != fails || len(got) != min(n, 10) {
				t.Errorf("%d bytes%s: %d, %v", n, way, len(got), err)
			}
		}
	}
	if err := TooLarge("the list", Containers); err.Error() != "the list is larger than 64 MiB: exceeds RDD's limit" {
		t.Error(err)
	}
}

// FuzzList: a list is read as the decoder of the whole would, or fails.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"[]", "[1,2]", `[{"a":[]},null]`, "null", "[1,", "[]]", `{"L":[1]}`, `{"L":null,"x":{}}`, " [ ] ", "[1 2]", `{"L":[1],"L":[2]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var whole []json.RawMessage
		valid := json.Unmarshal(text, &whole) == nil && whole != nil
		n := 0
		err := List{What: "the list", Size: Containers}.Read(strings.NewReader(string(text)), func(json.RawMessage) error { n++; return nil })
		if (err == nil) != valid || (valid && n != len(whole)) {
			t.Errorf("%q: %d entries, %v; the decoder has %d, valid %v", text, n, err, len(whole), valid)
		}
		_ = List{What: "the list", Size: Containers, Member: "L", Null: true}.Read(strings.NewReader(string(text)), func(json.RawMessage) error { return nil })
	})
}

// FuzzMessages: whatever comes, what is read is what the decoder would read.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{"{}\n{}", `{"a":"\"}"}{`, "\x1e{}", "{}x", "[[]]", `"`, "}{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		messages := NewMessages(strings.NewReader(string(text)), "a message", time.Minute, func(error) {})
		decoder := json.NewDecoder(strings.NewReader(strings.ReplaceAll(string(text), "\x1e", " ")))
		for {
			got, err := messages.Next()
			var want json.RawMessage
			wrong := decoder.Decode(&want)
			if err != nil || wrong != nil || (want[0] != '{' && want[0] != '[') {
				return // text that is no object ends the stream
			}
			if string(got) != string(want) && !strings.Contains(string(text), "\x1e") {
				t.Fatalf("%q: %q, want %q", text, got, want)
			}
		}
	})
}

func ExampleBytes() {
	fmt.Println(Bytes(64<<20), Bytes(1<<10), Bytes(1000))
	// Output: 64 MiB 1 KiB 1000 bytes
}
