// Renders many overlays of one bundle with kustomize's own library, in one process and without touching the disk,
// and says what that cost. Each overlay sets what a component's overlay sets: namespace, image, replicas, port, resources.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	base    = "resources:\n- bundle.yaml\n"
	overlay = `namespace: namespace-%[1]d
resources:
- ../base
replicas:
- name: %[2]s
  count: %[3]d
images:
- name: %[4]s
  newName: registry.example.com/overlay/%[2]s
  newTag: v%[1]d
patches:
- target:
    kind: Deployment
    name: %[2]s
  patch: |-
    - op: replace
      path: /spec/template/spec/containers/0/ports/0/containerPort
      value: %[5]d
    - op: add
      path: /spec/template/spec/containers/0/resources
      value:
        requests: {cpu: %[6]dm, memory: 128Mi}
        limits: {cpu: %[6]dm, memory: 128Mi}
`
)

type cost struct {
	Count       int   `json:"count"`
	CPU         int64 `json:"cpu_ns"`
	Wall        int64 `json:"wall_ns"`
	OutputBytes int   `json:"output_bytes"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kustomize-bench:", err)
		os.Exit(1)
	}
}

func run() error {
	bundle := flag.String("bundle", "", "YAML file with the Deployment and whatever else")
	name := flag.String("name", "", "name of the Deployment")
	image := flag.String("image", "", "image of the Deployment's first container, without tag")
	count := flag.Int("count", 1, "overlays to render")
	show := flag.Bool("show", false, "print the last overlay's documents to standard error")
	version := flag.Bool("version", false, "print the library's version")
	flag.Parse()
	if *version {
		return library()
	}
	if *name == "" || *image == "" || *count < 1 {
		return errors.New("-bundle, -name, -image and a positive -count are needed")
	}
	documents, err := os.ReadFile(*bundle)
	if err != nil {
		return err
	}
	files := filesys.MakeFsInMemory()
	if err := write(files, documents, *name, *image, *count); err != nil {
		return err
	}
	spent, last, err := render(files, *count)
	if err != nil {
		return err
	}
	if *show {
		_, _ = os.Stderr.Write(last)
	}
	return json.NewEncoder(os.Stdout).Encode(spent)
}

func write(files filesys.FileSystem, documents []byte, name, image string, count int) error {
	if err := files.WriteFile("/base/kustomization.yaml", []byte(base)); err != nil {
		return err
	}
	if err := files.WriteFile("/base/bundle.yaml", documents); err != nil {
		return err
	}
	for i := range count {
		text := fmt.Sprintf(overlay, i, name, 1+i%9, image, 8000+i%1000, 100+i%400)
		if err := files.WriteFile(folder(i)+"/kustomization.yaml", []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

func folder(i int) string {
	return "/overlay-" + strconv.Itoa(i)
}

// Writing the files is not counted, reading and rendering them is.
func render(files filesys.FileSystem, count int) (cost, []byte, error) {
	var last []byte
	spent := cost{Count: count}
	began, before := time.Now(), processor()
	for i := range count {
		rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, folder(i))
		if err != nil {
			return cost{}, nil, err
		}
		if last, err = rendered.AsYaml(); err != nil {
			return cost{}, nil, err
		}
		spent.OutputBytes += len(last)
	}
	spent.Wall, spent.CPU = time.Since(began).Nanoseconds(), processor()-before
	return spent, last, nil
}

// User and system time of all threads, the garbage collector's included, in nanoseconds.
func processor() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func library() error {
	const path = "sigs.k8s.io/kustomize/api"
	built, _ := debug.ReadBuildInfo()
	for _, dependency := range built.Deps {
		if dependency.Path == path {
			fmt.Println(path, dependency.Version)
			return nil
		}
	}
	return errors.New("built without module information")
}
