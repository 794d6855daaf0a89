//go:build tools

// Package tools names KWOK, the stand-in for kubelets, at the version of this module.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
