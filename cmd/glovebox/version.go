package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker (-X main.version=…); "" in a plain `go build`.
var version string

// versionText is the version of this program, for people and for the ledger.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func (a *app) versionCommand() *cli.Command {
	return command(&cli.Command{
		Name:   "version",
		Usage:  "prints the version",
		Action: a.version,
	})
}

// version prints the version; it also is what `glovebox --version` does.
func (a *app) version(c *cli.Context) error {
	if c.Command.Name == "version" {
		if _, err := arguments(c); err != nil {
			return err
		}
	}
	a.print("glovebox %s (%s, %s/%s)", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
