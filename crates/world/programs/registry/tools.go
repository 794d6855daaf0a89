//go:build tools

// Package tools names the CNCF registry at the version of this module.
package tools

import _ "github.com/distribution/distribution/v3/cmd/registry"
