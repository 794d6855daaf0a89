//go:build tools

// Package tools names the clients that the contract tests use.
package tools

import (
	_ "github.com/sigstore/cosign/v3/cmd/cosign"
	_ "oras.land/oras/cmd/oras"
)
