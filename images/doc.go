// Package images knows the images that boxes start from, and how to come by them.
//
// Four are ours: base, python, node, go. Each is a directory with a Dockerfile
// whose first line says why it exists ([Names], [Info]); they are embedded, so
// that one binary is enough. Any other name is a reference to an image of the
// user's, which needs nothing but a shell.
//
// [Ensure] makes one ready. An image that is in the engine is used as it is.
// One of ours that is missing is built, parents first, under a tag that is the
// hash of what it is built from: a changed Dockerfile is another image. The
// Debian below all of them is pulled; where no registry answers it is
// bootstrapped from Debian's packages with mmdebstrap. Which of the two it was
// stands in a label of what was built ([Origin]).
//
// What an image holds is asked in a box by [ProbeScript] and read by
// [ParseInventory]; what the script prints is as hostile as all that comes
// from a box.
//
// The engine is a [Store] here, nothing more; sandbox/docker implements it.
package images
