// SPDX-License-Identifier: Apache-2.0

// Command hello is the program of the container that `make run` shows: it prints a
// greeting, and waits to be stopped.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	fmt.Println("Hello from a container.")
	<-ended
}
