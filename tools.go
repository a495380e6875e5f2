//go:build tools

// Tools that `go generate` runs, kept here so that go.mod pins their versions.
package main

import (
	_ "github.com/99designs/gqlgen"
)
