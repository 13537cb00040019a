// Package tree keeps a directory and a copy of it somewhere else the same, by
// tar archives that carry what has changed.
//
// [Look] finds out what has changed in a directory since both sides were the
// same, [Changes.Write] sends it, [Unpack] makes it so on the other side. Both
// sides use the same code, the agent in a box and the host, and both believe
// the worst: of the directory (it was filled by somebody who wants a walk to
// leave it, to hang, or to never end) and of the archive (it was written by
// somebody who wants to have a file elsewhere, or one that should not be).
//
// What an entry was when it was seen is its [Stamp]. Each side makes its own
// and understands no other: the host keeps for every path the stamp of either
// side, asks for what does not have the box's stamp any more, and sends what
// has not its own any more.
//
// An archive has entries of three kinds (files, directories, symbolic links),
// parents before what is in them, and then one named [endName] that says what
// is gone and how many entries there were: without it an archive is cut off.
// Pipes, sockets and devices do not travel; they are counted.
package tree
