// Command etcd is etcd's own server: its module cannot be installed by version
// (it has replace lines), but its main function is a library.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
