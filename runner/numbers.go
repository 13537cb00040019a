package runner

import "time"

// Every number that bounds a session stands here. Where no other reason is
// given it comes from trying what weak models need: docs/models.md.
const (
	initializerAttempts = 3 // sessions, then the job is incomplete
	listRounds          = 6 // times a faulty list is handed back in one session
	codingAttempts      = 3 // sessions for one feature, then it is blocked
	redFinishes         = 6 // times a session may claim done and be wrong
	blockedInRow        = 3 // later features usually need earlier ones: stop wasting a night
	codingTurns         = 60
	initializerTurnsMin = 46
	initializerTurnsMax = 100
	callsPerReply       = 64
	silentReplies       = 3 // in a row without a call
	cutReplies          = 3 // in a row cut by the token limit
	lostBoxes           = 3 // in a row before the engine is called broken
	providerErrors      = 3 // sessions in a row that a provider's error ended

	capGrowth       = 4     // a cut reply is asked for again once with this many times the tokens
	freeMaxTokens   = 16384 // requests are scarce for free models, not tokens
	paidMaxTokens   = 8192
	smallestCap     = 1000 // a model that can't say this much can't write a file
	linesPerReply   = 12   // tokens of one line of code inside a call
	tokensOfThought = 300  // what a reply spends besides the file it writes

	specInPlan   = 24 << 10 // bytes of the spec shown to the initializer
	specInCoding = 8 << 10  // and to a coding session, else its head and where it lies
	noteBytes    = 600      // of one finish note
	notesFile    = 8 << 10  // progress.md
	notesShown   = 2 << 10
	commitsShown = 8
	treeShown    = 60
	verifyShown  = 6 << 10 // of a red verify's output, to the session that made it
	verifyPrompt = 3 << 10 // and to the next session

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
)

// initializerTurns grows with the list: each feature is a test to write.
func initializerTurns(features int) int {
	return max(initializerTurnsMin, min(initializerTurnsMax, 40+2*features))
}
