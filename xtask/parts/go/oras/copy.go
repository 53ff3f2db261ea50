// Whole artifacts between a registry and an OCI layout, as they are, and what a reference resolves to.
package main

import (
	"context"
	"fmt"
	"strings"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
)

func transfer(ctx context.Context, asked request) error {
	layout, reference := asked.operands[0], asked.operands[1]
	if asked.toLayout {
		layout, reference = reference, layout
	}
	at := strings.LastIndex(layout, ":")
	if at < 0 {
		return fmt.Errorf("no tag in %s: write FOLDER:TAG", layout)
	}
	store, err := oci.NewWithContext(ctx, layout[:at])
	if err != nil {
		return err
	}
	repo, err := repository(reference, asked.plainHTTP)
	if err != nil {
		return err
	}
	var source oras.ReadOnlyTarget = store
	var target oras.Target = repo
	from, to := layout[at+1:], repo.Reference.ReferenceOrDefault()
	if asked.toLayout {
		source, target, from, to = repo, store, to, from
	}
	copied, err := oras.Copy(ctx, source, from, target, to, oras.DefaultCopyOptions)
	if err != nil {
		return err
	}
	fmt.Println("Copied", asked.operands[0], "=>", asked.operands[1])
	fmt.Println("Digest:", copied.Digest)
	return nil
}

func resolve(ctx context.Context, asked request) error {
	repo, err := repository(asked.operands[0], asked.plainHTTP)
	if err != nil {
		return err
	}
	found, err := repo.Resolve(ctx, repo.Reference.ReferenceOrDefault())
	if err != nil {
		return err
	}
	fmt.Println(found.Digest)
	return nil
}
