// Call plugins through the real libcni, the library inside every Go runtime:
//
//	libcni add|check|del|validate LIST CONTAINER NETNS IFNAME [KEY=VALUE ...]
//
// LIST is a .conflist file; plugins are found over $CNI_PATH, results are cached below /var/lib/cni. The result of add
// and the capabilities of validate go to standard output. KEY=VALUE are CNI_ARGS; capability arguments come as
// JSON in $CAPABILITIES.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
)

func call(verb, file, container, netns, ifname string, pairs []string) error {
	list, err := libcni.ConfListFromFile(file)
	if err != nil {
		return err
	}
	attachment := &libcni.RuntimeConf{ContainerID: container, NetNS: netns, IfName: ifname}
	for _, pair := range pairs {
		words := strings.SplitN(pair, "=", 2)
		attachment.Args = append(attachment.Args, [2]string{words[0], words[1]})
	}
	if text := os.Getenv("CAPABILITIES"); text != "" {
		if err := json.Unmarshal([]byte(text), &attachment.CapabilityArgs); err != nil {
			return err
		}
	}
	cni := libcni.NewCNIConfig(filepath.SplitList(os.Getenv("CNI_PATH")), nil)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch verb {
	case "add":
		result, err := cni.AddNetworkList(ctx, list, attachment)
		if err != nil {
			return err
		}
		return result.PrintTo(os.Stdout)
	case "check":
		return cni.CheckNetworkList(ctx, list, attachment)
	case "del":
		return cni.DelNetworkList(ctx, list, attachment)
	case "validate":
		capabilities, err := cni.ValidateNetworkList(ctx, list)
		fmt.Println(capabilities)
		return err
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "usage: libcni add|check|del|validate LIST CONTAINER NETNS IFNAME [KEY=VALUE ...]")
		os.Exit(2)
	}
	if err := call(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
