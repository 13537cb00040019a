package runner

import "time"

// Every number that bounds a session stands here. Where no other reason is
// given it comes from trying what weak models need: docs/models.md.
const (
	initializerAttempts = 3 // sessions, then the job is incomplete
	listRounds          = 6 // times a faulty list is handed back in one session
	codingAttempts      = 3 // sessions for one feature, then it is blocked
	acceptanceAttempts  = 3 // sessions for the user's own test, then the job is incomplete
	redFinishes         = 6 // times a session may claim done and be wrong
	flakyRuns           = 3 // of a verify that contradicts itself
	blockedInRow        = 3 // later features usually need earlier ones: stop wasting a night
	codingTurns         = 60
	revisionTurns       = 30
	initializerTurnsMin = 46
	initializerTurnsMax = 100
	callsPerReply       = 64
	readsAtOnce         = 4 // reads of one reply that run at the same time, each in a box
	silentReplies       = 3 // in a row without a call
	silentToText        = 2 // in a row, before a model that never called anything is asked in words
	faultyCommands      = 3 // replies in a row of which no command could be read, of a model that is asked in words
	cutReplies          = 3 // in a row cut by the token limit, the second try of each not counted
	lostBoxes           = 3 // in a row before the engine is called broken
	providerErrors      = 3 // sessions in a row that a provider's error ended

	capGrowth       = 4     // a cut reply is asked for again once with this many times the tokens
	freeMaxTokens   = 16384 // requests are scarce for free models, not tokens
	paidMaxTokens   = 8192
	smallestCap     = 1000 // a model that can't say this much can't write a file
	linesPerReply   = 12   // tokens of one line of code inside a call
	tokensOfThought = 300  // what a reply spends besides the file it writes

	// Shares of the model's window, in percent: where old results are left out,
	// and where the model is told to come to an end, so that it is told before
	// it is at 80. A sweep that frees less than a tenth is not worth the cache
	// of the prompt that it costs.
	windowSweep, windowTell, windowGain = 60, 72, 10
	windowMin                           = 16_000 // tokens; with less no session gets anywhere
	windowSmall                         = 32_000 // with less a person is warned, and package tool shows less
	windowReply                         = 1_000  // tokens that must be left for a reply
	windowDoubt                         = 5      // percent that an estimate may be too low by
	windowFall                          = 85     // percent of an earlier count of the same conversation that mean it was cut
	bytesPerToken                       = 3      // before the provider has counted anything: program text has few long words
	turnsKept                           = 8      // whose results are left alone in a sweep
	turnsKeptLast                       = 2      // and where the provider says that it is too long already
	resultSmall                         = 1 << 10

	idMax   = 128 // bytes of a call's id
	nameMax = 64  // and of a tool's name, in what is sent back

	specInPlan    = 24 << 10 // bytes of the spec shown to the initializer
	specInCoding  = 8 << 10  // and to a coding session, else its head and where it lies
	noteBytes     = 600      // of one finish note
	remarkMax     = 4 << 10  // of what a person says of a list
	notesFile     = 8 << 10  // progress.md
	notesShown    = 2 << 10
	commitsShown  = 8
	treeShown     = 60
	listShown     = 6 << 10 // bytes of the features in a prompt, besides their states
	verifyShown   = 6 << 10 // of a red verify's output, to the session that made it
	verifyPrompt  = 3 << 10 // and to the next session
	blockedOutput = 400     // of the last one, with a feature that is blocked

	verifyHead = 2 << 10
	verifyTail = 4 << 10

	initTimeout = 300 * time.Second // init.sh
	gitTimeout  = 120 * time.Second

	replyKept  = 4 << 10 // bytes of what a model said, in the ledger
	argsKept   = 8 << 10 // of a call's arguments
	resultKept = 8 << 10 // of its result
	errorKept  = 600     // of an error's text

	proofMax   = 2 << 30  // bytes of all files in git
	listingMax = 16 << 20 // bytes of git's list of a tree: about 150,000 files
	frozenMax  = 1 << 20  // bytes of one frozen file
	listMax    = 1 << 20  // bytes of feature_list.json
	specMax    = 1 << 20  // bytes of a spec, see [Spec]
)

// initializerTurns grows with the list: each feature is a test to write.
func initializerTurns(features int) int {
	return max(initializerTurnsMin, min(initializerTurnsMax, 40+2*features))
}
