// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// hugeValue and hugeCount are more than any engine has.
	hugeValue = 20 << 20
	hugeCount = 120_000
)

// DockerAnswers returns all answers to requests of Docker's API.
func DockerAnswers() []Answer {
	all := []Answer{
		{Name: "Empty", Garbage: true, serve: func(x *exchange) { x.ok("") }},
		{Name: "Null", Garbage: true, serve: func(x *exchange) { x.ok("null") }},
		{Name: "WrongType", Garbage: true, serve: (*exchange).wrongType},
		{Name: "WrongTypes", serve: mutation(wrongTypes)},
		{Name: "Nulls", serve: (*exchange).nulls},
		{Name: "NoJSON", Garbage: true, serve: func(x *exchange) { x.ok("<html>hello</html>") }},
		{Name: "HTML", Garbage: true, serve: func(x *exchange) {
			x.respond("200 OK", "text/html", "<html><body>It works!</body></html>")
		}},
		{Name: "WrongContentType", Garbage: true, serve: func(x *exchange) { x.respond("200 OK", "text/plain", string(x.good())) }},
		{Name: "NoContent", Garbage: true, serve: func(x *exchange) { x.raw("204 No Content", "") }},
		{Name: "Unauthorized", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.respond("401 Unauthorized", "application/json", `{"message":"who are you?"}`)
		}},
		{Name: "OtherPath", Garbage: true, Fails: true, serve: func(x *exchange) { x.respond("404 Not Found", "text/plain", "404 page not found") }},
		{Name: "ServerError", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.respond("500 Internal Server Error", "application/json", `{"message":"`+strings.Repeat("bad ", 25_000)+`"}`)
		}},
		{Name: "TerminalError", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.respond("500 Internal Server Error", "application/json", `{"message":"\u001b[2J\u001b]0;title\u0007\u0000\u202e`+"\xff\xfe"+`"}`)
		}},
		{Name: "EndlessError", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.raw("500 Internal Server Error", "Content-Type: application/json\r\n")
			_, _ = x.Write([]byte(`{"message":"`))
			x.forever([]byte("bad "))
		}},
		{Name: "RedirectToItself", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.raw("302 Found", "Content-Length: 0\r\nLocation: "+x.r.URL.RequestURI()+"\r\n")
		}},
		{Name: "RedirectElsewhere", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.raw("307 Temporary Redirect", "Content-Length: 0\r\nLocation: http://127.0.0.1:9/\r\n")
		}},
		{Name: "HangUp", Garbage: true, Fails: true, serve: (*exchange).hijack},
		{Name: "HangUpInHeader", Garbage: true, Fails: true, serve: func(x *exchange) { x.hijack(); _, _ = x.Write([]byte("HTTP/1.1 200 O")) }},
		{Name: "OtherProtocol", Garbage: true, Fails: true, serve: func(x *exchange) { x.hijack(); _, _ = x.Write([]byte("\x15\x03\x01\x00\x02\x02\x46 220 mail\r\n")) }},
		{Name: "Silence", Garbage: true, Fails: true, Quiet: true, serve: func(x *exchange) { x.hijack(); x.wait() }},
		{Name: "Slow", Garbage: true, Fails: true, Quiet: true, serve: func(x *exchange) {
			x.hijack()
			x.slowly([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"))
		}},
		{Name: "SlowBody", Garbage: true, Quiet: true, serve: func(x *exchange) {
			good := x.good()
			x.raw(x.statusLine(), fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", x.contentType(), len(good)+1000))
			x.slowly(append(good[:min(20, len(good)):min(20, len(good))], bytes.Repeat([]byte(" "), 1000)...))
		}},
	}
	return append(append(append(all, halves()...), endless()...), odd()...)
}

// halves are answers that end too early.
func halves() []Answer {
	return []Answer{
		{Name: "Half", Garbage: true, serve: func(x *exchange) {
			good := x.good()
			x.raw(x.statusLine(), fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", x.contentType(), len(good)))
			_, _ = x.Write(good[:len(good)/2])
		}},
		{Name: "HalfInChunks", Garbage: true, serve: func(x *exchange) {
			good := x.good()
			x.raw(x.statusLine(), "Content-Type: "+x.contentType()+"\r\nTransfer-Encoding: chunked\r\n")
			_, _ = fmt.Fprintf(x, "%x\r\n%s\r\n", len(good)/2, good[:len(good)/2])
		}},
		{Name: "HalfAndWhole", Garbage: true, serve: func(x *exchange) { // half of it as if it were all
			good := x.good()
			x.ok(string(good[:len(good)/2]))
		}},
	}
}

// body returns an answer whose body begins so, and goes on for ever.
func body(begin, again string) func(x *exchange) {
	return func(x *exchange) {
		x.raw(x.statusLine(), "Content-Type: "+x.contentType()+"\r\n")
		_, _ = io.WriteString(x, begin)
		x.forever([]byte(again))
	}
}

func endlessList(x *exchange) {
	element := `{"Id":"0123456789ab","Name":"v","Names":["/c"],"Labels":{"a":"b"}},`
	switch kindOf(x.surface) {
	case frames:
		body("", string(frame(1, "hello\n")))(x)
	case stream:
		body("", string(x.good()))(x)
	default:
		if x.surface == ListVolumes {
			body(`{"Volumes":[`, element)(x)
		} else {
			body(`[`, element)(x)
		}
	}
}

// endless are answers without an end, or with one that is too far away.
func endless() []Answer {
	return []Answer{
		{Name: "EndlessList", Garbage: true, serve: endlessList},
		{Name: "EndlessText", Garbage: true, serve: func(x *exchange) {
			if kindOf(x.surface) == frames {
				body("\x01\x00\x00\x00\xff\xff\xff\xff", "hello ")(x) // one frame of 4 GiB
			} else {
				body(`{"Id":"`, "aaaaaaaa")(x)
			}
		}},
		{Name: "EndlessSpace", Garbage: true, serve: body("", "        ")},
		{Name: "EndlessDepth", Garbage: true, serve: body("", "[[[[[[[[")},
		{Name: "EndlessHeader", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.hijack()
			_, _ = x.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"))
			x.forever([]byte("X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
		}},
		{Name: "EndlessContinue", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.hijack()
			x.forever([]byte("HTTP/1.1 103 Early Hints\r\n\r\n"))
		}},
		{Name: "HugeValue", Garbage: true, serve: func(x *exchange) {
			large := false
			text := x.mutated(func(key string, value any) any {
				if _, ok := value.(string); ok && !large && (key == "Id" || key == "ID" || key == "Name" || key == "id" || key == "Action") {
					large = true
					return "HUGE"
				}
				return nil
			})
			x.ok(strings.Replace(string(text), "HUGE", strings.Repeat("a", hugeValue), 1))
		}},
		{Name: "HugeList", serve: (*exchange).hugeList},
		{Name: "Compressed", Garbage: true, serve: func(x *exchange) {
			x.raw(x.statusLine(), "Content-Type: "+x.contentType()+"\r\nContent-Encoding: gzip\r\n")
			w, _ := gzip.NewWriterLevel(x, gzip.BestSpeed)
			zeros := bytes.Repeat([]byte(" "), 1<<20)
			for range 4 << 10 { // 4 GiB, of which some MB are sent
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		}},
	}
}

// odd are answers that are as the API says, and not as any engine answers.
func odd() []Answer {
	return []Answer{
		{Name: "InvalidText", serve: mutation(texts(invalid))},
		{Name: "LongText", serve: mutation(texts(strings.Repeat("long", 10_000)))},
		{Name: "LargestNumber", serve: mutation(numbers("9223372036854775807"))},
		{Name: "SmallestNumber", serve: mutation(numbers("-9223372036854775808"))},
		{Name: "InfiniteNumber", serve: mutation(numbers("1e400"))},
		{Name: "BrokenNumber", serve: mutation(numbers("-1.5"))},
		{Name: "Year10000", serve: mutation(times("10000-01-01T00:00:00Z"))},
		{Name: "Year9999", serve: mutation(times("9999-12-31T23:59:59.999999999-23:59"))},
		{Name: "YearMinus1", serve: mutation(times("-001-01-01T00:00:00Z"))},
		{Name: "Year0", serve: mutation(times("0000-01-01T00:00:00+23:59"))},
		{Name: "IDEmpty", serve: mutation(ids(""))},
		{Name: "IDLong", serve: mutation(ids(strings.Repeat("a", 1<<20)))},
		{Name: "IDControl", serve: mutation(ids("a\x00\x1b[31m\r\n\u202eb"))},
		{Name: "IDPath", serve: mutation(ids("../../x?y#z"))},
		{Name: "IDInvalid", serve: mutation(ids(invalid))},
		{Name: "IDTwice", serve: func(x *exchange) {
			x.ok(string(x.mutated(func(_ string, value any) any {
				if list, ok := value.([]any); ok {
					return append(list, list...)
				}
				return nil
			})))
		}},
	}
}

func numbers(to json.Number) func(string, any) any {
	return func(_ string, value any) any {
		if _, ok := value.(json.Number); ok {
			return to
		}
		return nil
	}
}

func texts(to string) func(string, any) any {
	return func(_ string, value any) any {
		if _, ok := value.(string); ok {
			return to
		}
		return nil
	}
}

func times(to string) func(string, any) any {
	return func(_ string, value any) any {
		if text, ok := value.(string); ok {
			if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
				return to
			}
		}
		return nil
	}
}

func ids(to string) func(string, any) any {
	return func(key string, value any) any {
		if _, ok := value.(string); ok && (key == "Id" || key == "ID" || key == "id" || key == "Name" || key == "Names" || key == "ImageID") {
			return to
		}
		return nil
	}
}

func mutation(f func(string, any) any) func(*exchange) {
	return func(x *exchange) {
		if kindOf(x.surface) == frames { // there is but a header to be changed
			x.ok("\x7f\xff\xff\xff\xff\xff\xff\xff" + "hello\n")
			return
		}
		x.ok(string(x.mutated(f)))
	}
}

func wrongTypes(_ string, value any) any {
	switch value.(type) {
	case string:
		return json.Number("7")
	case json.Number:
		return "seven"
	}
	return nil
}

func (x *exchange) wrongType() {
	if kindOf(x.surface) == document && bytes.HasPrefix(x.good(), []byte("[")) {
		x.ok(`{"message":"hello","Volumes":7}`)
		return
	}
	x.ok(`[7,"seven",[],{}]`)
}

// nulls has null for all values of an object, and for the objects of a list.
func (x *exchange) nulls() {
	good := x.good()
	if bytes.HasPrefix(good, []byte("[")) {
		x.ok("[null,null]")
		return
	}
	var object map[string]any
	_ = json.NewDecoder(bytes.NewReader(good)).Decode(&object)
	for name := range object {
		object[name] = nil
	}
	text, _ := json.Marshal(object)
	x.ok(string(text))
}

func (x *exchange) hugeList() {
	var all strings.Builder
	all.WriteString("[")
	if x.surface == ListVolumes {
		all.Reset()
		all.WriteString(`{"Volumes":[`)
	}
	for i := range hugeCount {
		if i > 0 {
			all.WriteString(",")
		}
		fmt.Fprintf(&all, `{"Id":"sha256:%064x","Name":"v%d","Names":["/c%d"],"RepoTags":["r:%d"]}`, i, i, i, i)
	}
	all.WriteString("]")
	if x.surface == ListVolumes {
		all.WriteString("}")
	}
	x.ok(all.String())
}

// ok answers with a body as a good one comes.
func (x *exchange) ok(body string) { x.respond(x.statusLine(), x.contentType(), body) }

func (x *exchange) respond(status, contentType, body string) {
	if strings.HasPrefix(status, "101") { // what follows is the stream
		x.raw(status, "Content-Type: "+contentType+"\r\n")
	} else {
		x.raw(status, fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body)))
	}
	if x.r.Method != http.MethodHead {
		_, _ = io.WriteString(x, body)
	}
}

// raw begins an answer. The connection ends with it.
func (x *exchange) raw(status, header string) {
	x.hijack()
	_, _ = fmt.Fprintf(x, "HTTP/1.1 %s\r\nApi-Version: 1.41\r\nOstype: linux\r\n%s\r\n", status, header)
}

// hijack takes the connection over. What it is closed with is [Proxy]'s.
func (x *exchange) hijack() {
	_, _ = io.Copy(io.Discard, x.r.Body) // else the client may fail to send it
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x.conn = conn
}

// length is the header of gRPC's messages, and of Docker's frames but for a byte.
func length(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, n) }
