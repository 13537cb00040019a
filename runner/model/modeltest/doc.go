// Package modeltest is a server of language models that misbehaves as told. It
// is for tests only.
//
// A [Server] speaks one [Wire] format over real HTTP, sells [Model]s at a
// price, and replies with what a [Script] thinks of: [Turn]s of words and tool
// calls. So far it is an honest server. Then it is given faults, each for a
// request by its number, for it and all after it, or for all:
//
//	s := modeltest.New(t, modeltest.OpenRouter, modeltest.Turns(
//		modeltest.Calls("bash", `{"command":"ls"}`),
//		modeltest.Says("Done."),
//	), modeltest.Model{ID: "a/gift:free"}, modeltest.Model{ID: "a/dear", Price: modeltest.PerMillion("15", "75")})
//	s.On(1, modeltest.Busy(17))
//	s.From(3, modeltest.WrongModel("a/dear"), modeltest.CutAfter(4))
//
// A [Fault] has a name and changes one thing of an answer: who gave it, what it
// costs, its status, the shape of its calls, where its stream breaks. Faults of
// one request are applied one after the other, so most of them combine. One
// that the server's format does not have fails the test.
//
// What matters is what the server knows and no client can: it remembers each
// request as it came, and what it bills for the answer ([Server.Exchanges],
// [Server.Billed]), also for answers that were cut, refused or never read. It
// bills as the hardest provider would: the whole reply as soon as one byte of
// it was sent, and nothing for an answer with an error status unless a fault
// says so ([Bills]). Beside it stands a second server that nobody should ever
// ask: [Redirect] sends there, and [Server.Strays] are the requests that came.
//
// The facts of the formats are those of the providers' documentation, their
// published schemas and recordings of real traffic; docs/models.md lists what
// Glovebox makes of them.
package modeltest
