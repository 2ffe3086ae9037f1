// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	// maxMessage bounds an answer, in bytes: containerd's default limit is lower.
	maxMessage = 16 << 20
	// maxListMessage bounds an answer with a list, in bytes, for engines that are
	// configured with a higher limit.
	maxListMessage = 64 << 20
	// maxKept bounds the memory of all listed containers, in bytes; 20,000 nerdctl
	// containers have some 60 MB.
	maxKept = 96 << 20
	// maxPlatforms is how many manifests of an index are read: the largest have some
	// 20, and as many attestations.
	maxPlatforms = 256
)

// ofList is for calls whose answer is a list.
func ofList() grpc.CallOption { return grpc.MaxCallRecvMsgSize(maxListMessage) }

// ofStream is for streams of small messages.
func ofStream() grpc.CallOption { return grpc.MaxCallRecvMsgSize(limits.Message) }

// unbounded reports whether a call may last: it waits for something to happen.
func unbounded(method string) bool {
	switch method {
	case "/containerd.services.tasks.v1.Tasks/Wait", "/containerd.services.transfer.v1.Transfer/Transfer":
		return true
	}
	return false
}

// withDeadline sets a deadline for calls without one.
func withDeadline(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok && !unbounded(method) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	return invoke(ctx, method, request, reply, conn, options...)
}

// boundedCodec is gRPC's own codec for messages that have at most [limits.Members]
// values: decoded, each takes a hundred times its two encoded bytes.
type boundedCodec struct{ encoding.CodecV2 }

func newBoundedCodec() boundedCodec { return boundedCodec{encoding.GetCodecV2(grpcproto.Name)} }

// Unmarshal implements [encoding.CodecV2].
func (c boundedCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	left := limits.Members
	if err := countValues(message.ProtoReflect().Descriptor(), buffer.ReadOnlyData(), &left, 0); err != nil {
		return err
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), message)
}

// maxDepth bounds the counted nesting; the decoder has its own limit.
const maxDepth = 32

func countValues(kind protoreflect.MessageDescriptor, text []byte, left *int, depth int) error {
	for len(text) > 0 {
		number, wireType, n := protowire.ConsumeTag(text)
		if n < 0 {
			return protowire.ParseError(n)
		}
		text = text[n:]
		if n = protowire.ConsumeFieldValue(number, wireType, text); n < 0 {
			return protowire.ParseError(n)
		}
		if *left--; *left < 0 {
			return fmt.Errorf("%s has more than %d values: %w", kind.Name(), limits.Members, limits.ErrTooLarge)
		}
		field := kind.Fields().ByNumber(number)
		if wireType == protowire.BytesType && field != nil && field.Message() != nil && depth < maxDepth {
			inner, _ := protowire.ConsumeBytes(text)
			if err := countValues(field.Message(), inner, left, depth+1); err != nil {
				return err
			}
		}
		text = text[n:]
	}
	return nil
}
