// Artifacts that say of another one that it is their subject: attaching and listing them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/registry"
)

// Pushes the files as an artifact whose subject is what the reference names. The library writes the fallback tag where the registry
// does not say that it lists referrers itself.
func attach(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	subject, err := repo.Resolve(ctx, repo.Reference.ReferenceOrDefault())
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
	options := oras.PackManifestOptions{Subject: &subject, Layers: layers}
	packed, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, asked.artifactType, options)
	if err != nil {
		return err
	}
	graph := oras.DefaultCopyGraphOptions
	graph.FindSuccessors = func(ctx context.Context, fetcher content.Fetcher, node ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		successors, err := content.Successors(ctx, fetcher, node)
		return without(successors, subject), err
	}
	if err := oras.CopyGraph(ctx, store, repo, packed, graph); err != nil {
		return err
	}
	fmt.Println("Attached to [registry]", repo.Reference.Registry+"/"+repo.Reference.Repository+"@"+subject.Digest.String())
	fmt.Println("Digest:", packed.Digest)
	return nil
}

// The registry has the subject; the store of files does not.
func without(descriptors []ocispec.Descriptor, subject ocispec.Descriptor) []ocispec.Descriptor {
	var kept []ocispec.Descriptor
	for _, descriptor := range descriptors {
		if !content.Equal(descriptor, subject) {
			kept = append(kept, descriptor)
		}
	}
	return kept
}

// Prints the referrers as one JSON document.
func discover(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	subject, err := repo.Resolve(ctx, repo.Reference.ReferenceOrDefault())
	if err != nil {
		return err
	}
	referrers, err := registry.Referrers(ctx, repo, subject, asked.artifactType)
	if err != nil {
		return err
	}
	if referrers == nil {
		referrers = []ocispec.Descriptor{}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"digest": subject.Digest, "referrers": referrers})
}
