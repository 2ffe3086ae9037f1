// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Codes of gRPC.
const (
	codeUnknown         = 2
	codeNotFound        = 5
	codeInternal        = 13
	codeUnavailable     = 14
	codeUnauthenticated = 16
)

// ContainerdAnswers returns all answers to calls of containerd's API.
func ContainerdAnswers() []Answer {
	all := []Answer{
		{Name: "Empty", Garbage: true, serve: func(x *exchange) { begin(x.w); end(x.w, 0, "") }},
		{Name: "Null", Garbage: true, serve: func(x *exchange) { x.messages([]byte{}) }},
		{Name: "NoMessage", Garbage: true, serve: func(x *exchange) { x.messages([]byte("\xff\xff\xff\xffhello")) }},
		{Name: "WrongType", Garbage: true, serve: func(x *exchange) {
			x.messages(must(proto.Marshal(&timestamppb.Timestamp{Seconds: 7, Nanos: 7})))
		}},
		{Name: "WrongContentType", Garbage: true, serve: func(x *exchange) { x.http(http.StatusOK, "text/html", "<html>It works!</html>") }},
		{Name: "Unauthorized", Garbage: true, Fails: true, serve: func(x *exchange) { x.http(http.StatusUnauthorized, "text/plain", "who are you?") }},
		{Name: "Unauthenticated", Garbage: true, Fails: true, serve: func(x *exchange) { x.status(codeUnauthenticated, "who are you?") }},
		{Name: "ServerError", Garbage: true, Fails: true, serve: func(x *exchange) { x.http(http.StatusInternalServerError, "text/plain", "bad") }},
		{Name: "LongError", Garbage: true, Fails: true, serve: func(x *exchange) { x.status(codeUnknown, strings.Repeat("bad ", 25_000)) }},
		{Name: "TerminalError", Garbage: true, Fails: true, serve: func(x *exchange) { x.status(codeInternal, "%1B[2J%00%FF%FE") }},
		{Name: "OtherPath", Garbage: true, Fails: true, serve: func(x *exchange) { x.http(http.StatusNotFound, "text/plain", "404 page not found") }},
		{Name: "NoCode", Garbage: true, Fails: true, serve: func(x *exchange) { x.status(1<<40, "") }},
		{Name: "Redirect", Garbage: true, Fails: true, serve: func(x *exchange) {
			x.w.Header().Set("Location", x.r.URL.Path)
			x.http(http.StatusFound, "text/plain", "")
		}},
		{Name: "HangUp", Garbage: true, Fails: true, serve: func(*exchange) { panic(http.ErrAbortHandler) }},
		{Name: "HangUpInBody", Garbage: true, Fails: true, serve: func(x *exchange) {
			begin(x.w)
			_, _ = x.Write([]byte{0, 0, 0})
			panic(http.ErrAbortHandler)
		}},
		{Name: "Unavailable", Garbage: true, Fails: true, serve: func(x *exchange) { x.status(codeUnavailable, "") }},
		{Name: "Silence", Garbage: true, Fails: true, Quiet: true, serve: (*exchange).wait},
		{Name: "SilenceInBody", Garbage: true, Fails: true, Quiet: true, serve: func(x *exchange) { begin(x.w); x.wait() }},
		{Name: "Slow", Garbage: true, Fails: true, Quiet: true, serve: func(x *exchange) {
			begin(x.w)
			x.slowly(append(length(1<<20), make([]byte, 1<<20)...))
		}},
		{Name: "Half", Garbage: true, Fails: true, serve: func(x *exchange) {
			begin(x.w)
			good := envelop(bytes.Join(x.goodMessages(), nil))
			_, _ = x.Write(good[:max(3, len(good)/2)])
			end(x.w, 0, "")
		}},
	}
	return append(append(all, endlessMessages()...), oddMessages()...)
}

func endlessMessages() []Answer {
	return []Answer{
		{Name: "EndlessMessages", Garbage: true, serve: func(x *exchange) {
			begin(x.w)
			for _, message := range x.goodMessages() {
				_, _ = x.Write(envelop(message))
			}
			good := x.goodMessages()
			x.forever(envelop(good[len(good)-1]))
		}},
		{Name: "EndlessEmptyMessages", Garbage: true, serve: func(x *exchange) { begin(x.w); x.forever(envelop(nil)) }},
		{Name: "EndlessMessage", Garbage: true, Fails: true, serve: func(x *exchange) {
			begin(x.w)
			_, _ = x.Write(length(1<<32 - 1))
			x.forever([]byte("hello"))
		}},
		{Name: "Large", Garbage: true, serve: func(x *exchange) { // as large as the client takes, but for a little
			begin(x.w)
			_, _ = x.Write(length(64<<20 - 1))
			_, _ = x.Write(make([]byte, 64<<20-1))
			end(x.w, 0, "")
		}},
		{Name: "HugeList", serve: func(x *exchange) {
			x.mutate(func(field protoreflect.FieldDescriptor, value protoreflect.Value) {
				if !field.IsList() || field.Kind() != protoreflect.MessageKind || value.List().Len() == 0 {
					return
				}
				for list := value.List(); list.Len() < hugeCount/4; {
					list.Append(list.Get(0))
				}
			})
		}},
	}
}

// text has the same for all texts of a message, number for all numbers, and blob
// for all that is bytes.
func text(to string) func(*exchange) {
	return scalars(func(field protoreflect.FieldDescriptor) protoreflect.Value {
		if field.Kind() == protoreflect.StringKind {
			return protoreflect.ValueOfString(to)
		}
		return protoreflect.Value{}
	})
}

func number(to int64) func(*exchange) {
	small := int32(min(max(to, -1<<31), 1<<31-1))
	return scalars(func(field protoreflect.FieldDescriptor) protoreflect.Value {
		switch field.Kind() {
		case protoreflect.Int32Kind:
			return protoreflect.ValueOfInt32(small)
		case protoreflect.Int64Kind:
			return protoreflect.ValueOfInt64(to)
		case protoreflect.Uint32Kind:
			return protoreflect.ValueOfUint32(uint32(to))
		case protoreflect.Uint64Kind:
			return protoreflect.ValueOfUint64(uint64(to))
		case protoreflect.EnumKind:
			return protoreflect.ValueOfEnum(protoreflect.EnumNumber(small))
		}
		return protoreflect.Value{}
	})
}

func blob(to string) func(*exchange) {
	return scalars(func(field protoreflect.FieldDescriptor) protoreflect.Value {
		if field.Kind() == protoreflect.BytesKind {
			return protoreflect.ValueOfBytes([]byte(to))
		}
		return protoreflect.Value{}
	})
}

func oddMessages() []Answer {
	return []Answer{
		{Name: "TextEmpty", serve: text("")},
		{Name: "TextLong", serve: text(strings.Repeat("a", 1<<20))},
		{Name: "TextControl", serve: text("a\x00\x1b[31m\r\n\u202eb")},
		{Name: "TextPath", serve: text("../../x?y#z")},
		{Name: "InvalidText", Garbage: true, serve: func(x *exchange) {
			begin(x.w)
			for _, message := range x.goodMessages() {
				for _, found := range []string{"1", "a", "c", "v"} { // as long as before
					message = bytes.ReplaceAll(message, []byte(found), []byte("\xff"))
				}
				_, _ = x.Write(envelop(message))
			}
			end(x.w, 0, "")
		}},
		{Name: "LargestNumber", serve: number(1<<63 - 1)},
		{Name: "SmallestNumber", serve: number(-1 << 63)},
		{Name: "Year10000", serve: number(253402300800)},
		{Name: "BytesNull", serve: blob("null")},
		{Name: "BytesInvalid", serve: blob("\xff\xfe\x00")},
		{Name: "BytesDeep", serve: blob(strings.Repeat(`{"process":`, 100_000))},
		{Name: "Twice", serve: func(x *exchange) {
			x.mutate(func(field protoreflect.FieldDescriptor, value protoreflect.Value) {
				if field.IsList() {
					for i, list := 0, value.List(); i < value.List().Len() && i < 10; i += 2 {
						list.Append(list.Get(i))
					}
				}
			})
		}},
	}
}

// goodMessages returns those of the good answer.
func (x *exchange) goodMessages() [][]byte {
	if all := messages(x.sample().Body.Bytes()); len(all) > 0 {
		return all
	}
	return [][]byte{{}}
}

// messages answers with messages, as many as a good answer has.
func (x *exchange) messages(all ...[]byte) {
	begin(x.w)
	for _, message := range all {
		_, _ = x.Write(envelop(message))
	}
	end(x.w, 0, "")
}

func (x *exchange) status(code int, message string) {
	begin(x.w)
	end(x.w, code, message)
}

func (x *exchange) http(status int, contentType, body string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(status)
	_, _ = x.Write([]byte(body))
}

// typeOf returns the type of what a method answers with; nil if it is not known.
func typeOf(surface string) protoreflect.MessageType {
	service, method, _ := strings.Cut("containerd.services."+surface, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	descriptor := found.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(method))
	if descriptor == nil {
		return nil
	}
	known, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.Output().FullName())
	if err != nil {
		return nil
	}
	return known
}

// mutate answers with the good messages, in which f changes lists.
func (x *exchange) mutate(f func(protoreflect.FieldDescriptor, protoreflect.Value)) {
	x.changed(func(message protoreflect.Message) {
		message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			f(field, value)
			return true
		})
	})
}

// scalars answers with the good messages, with other values for those fields for
// which f has one, at all depths.
func scalars(f func(protoreflect.FieldDescriptor) protoreflect.Value) func(*exchange) {
	var walk func(protoreflect.Message)
	walk = func(message protoreflect.Message) {
		if packed, ok := message.Interface().(*anypb.Any); ok {
			if inner, err := packed.UnmarshalNew(); err == nil {
				walk(inner.ProtoReflect())
				packed.Value = must(proto.MarshalOptions{AllowPartial: true}.Marshal(inner))
				return
			}
		}
		message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			switch {
			case field.IsMap() && field.MapValue().Kind() == protoreflect.StringKind:
				value.Map().Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
					if other := f(field.MapValue()); other.IsValid() {
						value.Map().Set(key, other)
					}
					return true
				})
			case field.IsMap():
			case field.IsList() && field.Kind() == protoreflect.MessageKind:
				for i := range value.List().Len() {
					walk(value.List().Get(i).Message())
				}
			case field.IsList():
			case field.Kind() == protoreflect.MessageKind:
				walk(value.Message())
			default:
				if other := f(field); other.IsValid() {
					message.Set(field, other)
				}
			}
			return true
		})
	}
	return func(x *exchange) { x.changed(walk) }
}

func (x *exchange) changed(change func(protoreflect.Message)) {
	good := x.goodMessages()
	if known := typeOf(x.surface); known != nil {
		for i, data := range good {
			message := known.New()
			if proto.Unmarshal(data, message.Interface()) == nil {
				change(message)
				good[i] = must(proto.MarshalOptions{AllowPartial: true}.Marshal(message.Interface()))
			}
		}
	}
	x.messages(good...)
	if x.surface == Subscribe { // which has no end
		x.wait()
	}
}
