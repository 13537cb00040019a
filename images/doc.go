// Package images knows the images that boxes start from: one directory an
// image, each with a Dockerfile, embedded; and how to come by them.
package images
