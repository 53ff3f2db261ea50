// The calls of the `oras` command on the oras-go library: push, tag, pull, resolve, copy, attach and discover, with that command's flags.
// The command itself cannot be installed from a Go module proxy. It does not log in, sign or delete.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

const (
	usage = `usage:
  oras push [--plain-http] [--artifact-type TYPE] REFERENCE FILE[:TYPE]...
  oras tag [--plain-http] REFERENCE TAG...
  oras pull [--plain-http] [-o FOLDER] REFERENCE
  oras resolve [--plain-http] REFERENCE
  oras cp [--plain-http] --to-oci-layout REFERENCE FOLDER:TAG
  oras cp [--plain-http] --from-oci-layout FOLDER:TAG REFERENCE
  oras attach [--plain-http] --artifact-type TYPE REFERENCE FILE[:TYPE]...
  oras discover [--plain-http] [--artifact-type TYPE] REFERENCE
  oras version`

	// What the command takes for files and artifacts whose type is not said.
	unknownArtifact = "application/vnd.unknown.artifact.v1"
)

type request struct {
	plainHTTP    bool
	artifactType string
	output       string
	fromLayout   bool
	toLayout     bool
	operands     []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New(usage)
	}
	asked, err := parse(arguments[1:])
	if err != nil {
		return err
	}
	switch name := arguments[0]; {
	case name == "version":
		return version()
	case name == "push" && len(asked.operands) >= 2:
		return push(ctx, asked)
	case name == "tag" && len(asked.operands) >= 2:
		return tag(ctx, asked)
	case name == "pull" && len(asked.operands) == 1:
		return pull(ctx, asked)
	case name == "resolve" && len(asked.operands) == 1:
		return resolve(ctx, asked)
	case name == "cp" && len(asked.operands) == 2 && asked.fromLayout != asked.toLayout:
		return transfer(ctx, asked)
	case name == "attach" && len(asked.operands) >= 2 && asked.artifactType != "":
		return attach(ctx, asked)
	case name == "discover" && len(asked.operands) == 1:
		return discover(ctx, asked)
	}
	return errors.New(usage)
}

// Flags may stand before, between and after the operands.
func parse(arguments []string) (request, error) {
	var asked request
	flags := flag.NewFlagSet("oras", flag.ContinueOnError)
	flags.BoolVar(&asked.plainHTTP, "plain-http", false, "HTTP instead of HTTPS")
	flags.StringVar(&asked.artifactType, "artifact-type", "", "type of the artifact pushed, or of those looked for")
	flags.BoolVar(&asked.fromLayout, "from-oci-layout", false, "the source is an OCI layout")
	flags.BoolVar(&asked.toLayout, "to-oci-layout", false, "the target is an OCI layout")
	flags.StringVar(&asked.output, "o", ".", "folder of the files pulled")
	flags.StringVar(&asked.output, "output", ".", "folder of the files pulled")
	for {
		if err := flags.Parse(arguments); err != nil {
			return request{}, err
		}
		arguments = flags.Args()
		if len(arguments) == 0 {
			return asked, nil
		}
		asked.operands = append(asked.operands, arguments[0])
		arguments = arguments[1:]
	}
}

// The repository a reference names, with the credentials of the Docker configuration.
func repository(reference string, plainHTTP bool) (*remote.Repository, error) {
	repo, err := remote.NewRepository(reference)
	if err != nil {
		return nil, err
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	host, _, _ := strings.Cut(repo.Reference.Registry, ":")
	repo.PlainHTTP = plainHTTP || host == "localhost"
	// The index that a fallback tag had before stays behind: many registries refuse deletions.
	repo.SkipReferrersGC = true
	repo.Client = &auth.Client{
		Client:     retry.DefaultClient,
		Cache:      auth.NewCache(),
		Credential: credentials.Credential(store),
	}
	return repo, nil
}

func push(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	store, err := file.New("")
	if err != nil {
		return err
	}
	defer store.Close()
	layers, err := addAll(ctx, store, asked.operands[1:])
	if err != nil {
		return err
	}
	artifactType := asked.artifactType
	if artifactType == "" {
		artifactType = unknownArtifact
	}
	packed, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, artifactType, oras.PackManifestOptions{Layers: layers})
	if err != nil {
		return err
	}
	reference := repo.Reference.Reference
	if reference == "" {
		err = oras.CopyGraph(ctx, store, repo, packed, oras.DefaultCopyGraphOptions)
	} else if err = store.Tag(ctx, packed, reference); err == nil {
		_, err = oras.Copy(ctx, store, reference, repo, reference, oras.DefaultCopyOptions)
	}
	if err != nil {
		return err
	}
	fmt.Println("Pushed [registry]", asked.operands[0])
	fmt.Println("ArtifactType:", artifactType)
	fmt.Println("Digest:", packed.Digest)
	return nil
}

func addAll(ctx context.Context, store *file.Store, operands []string) ([]ocispec.Descriptor, error) {
	var layers []ocispec.Descriptor
	for _, operand := range operands {
		layer, err := add(ctx, store, operand)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// FILE[:TYPE]; the title annotation becomes FILE as written, which therefore has to stay below the working folder.
func add(ctx context.Context, store *file.Store, operand string) (ocispec.Descriptor, error) {
	path, mediaType := operand, ocispec.MediaTypeImageLayer
	if at := strings.LastIndex(operand, ":"); at >= 0 {
		path, mediaType = operand[:at], operand[at+1:]
	}
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, "..") {
		return ocispec.Descriptor{}, fmt.Errorf("absolute file path detected, use a path below the working folder: %s", path)
	}
	return store.Add(ctx, path, mediaType, "")
}

func tag(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	tags := asked.operands[1:]
	tagged, err := oras.TagN(ctx, repo, repo.Reference.Reference, tags, oras.DefaultTagNOptions)
	if err != nil {
		return err
	}
	for _, name := range tags {
		fmt.Println("Tagged", name)
	}
	fmt.Println("Digest:", tagged.Digest)
	return nil
}

func pull(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	store, err := file.New(asked.output)
	if err != nil {
		return err
	}
	defer store.Close()
	reference := repo.Reference.ReferenceOrDefault()
	pulled, err := oras.Copy(ctx, repo, reference, store, reference, oras.DefaultCopyOptions)
	if err != nil {
		return err
	}
	fmt.Println("Pulled [registry]", asked.operands[0])
	fmt.Println("Digest:", pulled.Digest)
	return nil
}

func version() error {
	const library = "oras.land/oras-go/v2"
	built, _ := debug.ReadBuildInfo()
	for _, dependency := range built.Deps {
		if dependency.Path == library {
			fmt.Println(library, dependency.Version)
			return nil
		}
	}
	return errors.New("built without module information")
}
