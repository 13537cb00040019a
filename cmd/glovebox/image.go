package main

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/urfave/cli/v2"

	"github.com/glovebox-run/glovebox/images"
)

func (a *app) imageCommand() *cli.Command {
	return command(&cli.Command{
		Name:      "image",
		Usage:     "lists and builds the images that boxes start from",
		ArgsUsage: "list | build [NAME...]",
		Subcommands: []*cli.Command{
			command(&cli.Command{
				Name:   "list",
				Usage:  "lists the built-in images, and which of them are here",
				Action: a.imageListAction,
			}),
			command(&cli.Command{
				Name:        "build",
				Usage:       "makes images ready, so that no run has to wait for them",
				ArgsUsage:   "[NAME...]",
				Description: "NAME is " + strings.Join(images.Names(), ", ") + " or any other image, which is pulled. Without a name it is " + images.Default + ".",
				Action:      a.imageBuildAction,
			}),
		},
	})
}

func (a *app) imageListAction(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	engine, err := a.connect(c.Context, "", a.logger(false))
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	origins := map[string]bool{}
	for _, name := range images.Names() {
		recipe, _ := images.Info(name)
		state := "-"
		img, err := engine.Find(c.Context, recipe.Tag)
		switch {
		case err == nil:
			state = units.HumanSize(float64(img.Size))
			origins[plain(images.Origin(img))] = true
		case !errors.Is(err, images.ErrNotFound):
			return err
		}
		if name == images.Default {
			name += "*"
		}
		a.print("%s %s %s", pad(name, 8), pad(state, 8), plain(recipe.Why))
	}
	a.print("\n* the default. Those without a size are built when a run needs them.")
	for _, origin := range slices.Sorted(maps.Keys(origins)) {
		a.print("Built on %s.", origin)
	}
	return a.imageLeftovers(c, engine)
}

// imageLeftovers names images of ours that belong to another version of glovebox.
func (a *app) imageLeftovers(c *cli.Context, store images.Store) error {
	list, err := store.List(c.Context)
	if err != nil {
		return err
	}
	var current, old []string
	for _, name := range images.Names() {
		recipe, _ := images.Info(name)
		current = append(current, recipe.Tag)
	}
	for _, img := range list {
		for _, tag := range img.Tags {
			if strings.HasPrefix(tag, "glovebox/") && !slices.Contains(current, tag) && img.Labels[images.LabelName] != "debian" {
				old = append(old, plain(tag))
			}
		}
	}
	slices.SortFunc(old, cmp.Compare[string])
	if len(old) > 0 {
		a.print("Of other versions of glovebox: %s (`glovebox clean --images` removes all)", strings.Join(old, ", "))
	}
	return nil
}

func (a *app) imageBuildAction(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) == 0 {
		names = []string{images.Default}
	}
	engine, err := a.connect(c.Context, "", a.logger(false))
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }() // everything it said has been read
	for _, name := range names {
		img, err := a.ensureImage(c.Context, engine, name, a.screen.lines(""))
		if err != nil {
			return err
		}
		a.print("%s is here: %s, %s", plain(name), plain(shortID(img.ID)), units.HumanSize(float64(img.Size)))
	}
	return nil
}

// shortID is an image's id as docker shows it.
func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
