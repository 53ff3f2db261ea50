// A registry in memory that lists referrers (distribution specification 1.1), for tests on loopback.
// It knows no users and no TLS, and forgets everything when it ends.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("referrers", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on; port 0 chooses a free one")
	versioned := flags.Bool("version", false, "print the version of the registry library and end")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *versioned {
		return version()
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	// One line, so that whoever started it knows the port.
	fmt.Println("listening on", listener.Addr())
	server := &http.Server{
		Handler:           registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))),
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.Serve(listener)
}

func version() error {
	const library = "github.com/google/go-containerregistry"
	built, _ := debug.ReadBuildInfo()
	for _, dependency := range built.Deps {
		if dependency.Path == library {
			fmt.Println(library, dependency.Version)
			return nil
		}
	}
	return errors.New("built without module information")
}
