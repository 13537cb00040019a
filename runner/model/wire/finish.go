package wire

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/glovebox-run/glovebox/runner/model"
)

// Finish is what a server's word for the end of an answer means. Only the words
// of this list mean a whole answer: with any other, of which servers invent new
// ones, a part may be missing, and nothing of it may be executed. The words are
// those of OpenAI, OpenRouter, Anthropic, Mistral, Cohere, Google, DeepSeek,
// Z.ai, text-generation-inference and Ollama; "" is a server that says nothing.
func Finish(word string) (model.Finish, *model.Error) {
	switch strings.ToLower(word) {
	case "":
		return "", nil
	case "stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete":
		return model.FinishStop, nil
	case "tool_calls", "tool_use", "tool_call", "function_call":
		return model.FinishCalls, nil
	case "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length":
		return model.FinishLength, nil
	case "refusal", "content_filter", "safety", "sensitive", "recitation":
		return "", unfinished(model.FaultRequest, "the model refuses to answer")
	case "model_context_window_exceeded":
		return "", unfinished(model.FaultContext, "the answer was cut because the model's window is full")
	case "error", "network_error", "insufficient_system_resource":
		return "", unfinished(model.FaultServer, "the answer was cut off before its end ("+word+")")
	default:
		return "", unfinished(model.FaultRequest, fmt.Sprintf("the answer ended for a reason that is not known, %.60q, so it may be cut", word))
	}
}

func unfinished(f model.Fault, message string) *model.Error {
	return &model.Error{Fault: f, Status: http.StatusOK, Message: message}
}
