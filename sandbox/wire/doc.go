// Package wire is what host and agent say to each other over the one stream
// of a box, from the first byte on:
//
//  1. A handshake, one line of JSON each way ([Handshake], [Answer]): the host
//     names its protocol and build, the agent answers with its own.
//  2. yamux ([Client], [Server]). Only the host opens streams.
//  3. HTTP/1.1, one request a stream. [PathRun] answers with frames ([Writer],
//     [Reader]), the others with JSON or bytes.
//
// The host's half expects the worst of the agent's: every length, count and
// string is checked before it is believed, and what breaks a rule is an error
// that wraps [ErrProtocol]. The caller then destroys the box.
package wire
