// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// subscribe is the method whose stream is the events.
	subscribe = "/containerd.services.events.v1.Events/Subscribe"
	// knock is the topic of the event by which a stream is known to have begun,
	// which is never lost.
	knock = "/rdd/watching"
)

// Proxy forwards connections to a containerd, and injects faults.
type Proxy struct {
	tb     TB
	socket string
	server *grpc.Server

	mu     sync.Mutex
	target *grpc.ClientConn           // guarded by mu
	fails  map[string]int             // guarded by mu; how often a method is to fail yet
	delays map[string]time.Duration   // guarded by mu; how long a method waits before it is called
	deaf   bool                       // guarded by mu; events are lost
	lost   [][]byte                   // guarded by mu; those that were
	cuts   map[int]context.CancelFunc // guarded by mu; of the calls under way
	count  int                        // guarded by mu; of calls so far
	calls  map[string]int             // guarded by mu; so far, of each method
}

// StartProxy runs a proxy before a containerd until the test ends.
func StartProxy(tb TB, target *Engine) *Proxy {
	tb.Helper()
	dir, err := os.MkdirTemp("", "rdd-proxy-") // short, for sockets
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, socket: filepath.Join(dir, "p.sock"), fails: map[string]int{}, delays: map[string]time.Duration{}, calls: map[string]int{}, cuts: map[int]context.CancelFunc{}}
	p.SetTarget(target)
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "unix", p.socket)
	if err != nil {
		tb.Fatal(err)
	}
	p.server = grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(p.pass))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = p.server.Serve(listener)
	}()
	tb.Cleanup(func() {
		p.server.Stop()
		<-served
		_ = p.target.Close()
		_ = os.RemoveAll(dir)
	})
	return p
}

// Endpoint returns where it listens.
func (p *Proxy) Endpoint() string { return "unix://" + p.socket }

// SetTarget has another containerd answer, and ends what is under way.
func (p *Proxy) SetTarget(target *Engine) {
	p.tb.Helper()
	conn, err := grpc.NewClient("unix:"+target.path("c.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		p.tb.Fatal(err)
	}
	p.mu.Lock()
	before := p.target
	p.target = conn
	p.mu.Unlock()
	p.Cut()
	if before != nil {
		_ = before.Close()
	}
}

// Fail has a method, as in containers.v1.Containers/Get, fail so many times.
func (p *Proxy) Fail(method string, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails[method] = times
}

// Delay has the calls of a method reach the containerd so much later.
func (p *Proxy) Delay(method string, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delays[method] = delay
}

// Left returns how many of the failures are still to come.
func (p *Proxy) Left(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fails[method]
}

// Calls returns how often each method was called so far.
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

// LoseEvents has all events get lost from now on, or not any longer.
func (p *Proxy) LoseEvents(lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = lose
}

// Lost reports whether an event with a text got lost.
func (p *Proxy) Lost(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.lost, func(event []byte) bool { return bytes.Contains(event, []byte(text)) })
}

// Cut ends all calls that are under way.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cut := range p.cuts {
		cut()
	}
}

// enter notes a call, and returns whom to ask, and a context that ends when the
// call is cut.
func (p *Proxy) enter(ctx context.Context, method string) (_ context.Context, _ *grpc.ClientConn, leave func(), err error) {
	name := strings.TrimPrefix(method, "/containerd.services.")
	p.mu.Lock()
	delay := p.delays[name]
	p.mu.Unlock()
	time.Sleep(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[name]++
	if p.fails[name] > 0 {
		p.fails[name]--
		return nil, nil, nil, status.Error(codes.Unknown, "a fault of the test")
	}
	ctx, cancel := context.WithCancel(ctx)
	p.count++
	number := p.count
	p.cuts[number] = cancel
	return ctx, p.target, func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.cuts, number)
	}, nil
}

// pass is a [grpc.StreamHandler] for every method.
func (p *Proxy) pass(_ any, client grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(client)
	ctx, target, leave, err := p.enter(client.Context(), method)
	if err != nil {
		return err
	}
	defer leave()
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	engine, err := target.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(raw{}))
	if err != nil {
		return err
	}
	go func() { // ends with the call
		for {
			var message []byte
			if client.RecvMsg(&message) != nil {
				_ = engine.CloseSend()
				return
			}
			if engine.SendMsg(&message) != nil {
				return
			}
		}
	}()
	for {
		var message []byte
		if err := engine.RecvMsg(&message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			if ctx.Err() != nil && client.Context().Err() == nil {
				return status.Error(codes.Unavailable, "cut by the test")
			}
			return err
		}
		p.mu.Lock()
		lost := p.deaf && method == subscribe && !bytes.Contains(message, []byte(knock))
		if lost {
			p.lost = append(p.lost, message)
		}
		p.mu.Unlock()
		if lost {
			continue
		}
		if err := client.SendMsg(&message); err != nil {
			return err
		}
	}
}

// raw passes messages on as they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) {
	message, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("a message of type %T", v)
	}
	return *message, nil
}

func (raw) Unmarshal(data []byte, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message of type %T", v)
	}
	*message = append([]byte(nil), data...)
	return nil
}
