package modeltest

import (
	"fmt"
	"slices"
)

// WrongModel has another model answer. It thinks of the same, says its own
// name and costs its own price, if the server sells it.
func WrongModel(id string) Fault {
	return Fault{Name: "wrong model in reply", do: func(a *answer) { a.become(id) }}
}

// become makes another model the one that works.
func (a *answer) become(id string) {
	a.names, a.routing.endpoint, a.routing.attempts = id, id, []string{id}
	if m, ok := a.server.sold(id); ok {
		a.price = m.Price
	}
}

// WrongModelMidStream has the stream name another model from its nth chunk on, from 0.
func WrongModelMidStream(n int, id string) Fault {
	return openAIOnly("wrong model mid-stream", func(a *answer) {
		a.chunks = append(a.chunks, func(i int, chunk map[string]any) {
			if i >= n {
				chunk["model"] = id
			}
		})
	})
}

// WrongModelInOneChunk has only the nth chunk name another model.
func WrongModelInOneChunk(n int, id string) Fault {
	return openAIOnly("wrong model in one chunk", func(a *answer) {
		a.chunks = append(a.chunks, func(i int, chunk map[string]any) {
			if i == n {
				chunk["model"] = id
			}
		})
	})
}

// Named gives the reply another name and changes nothing else: an honest one,
// for providers that answer with a slug of theirs, or a lie.
func Named(name string) Fault {
	return Fault{Name: fmt.Sprintf("named %q", name), do: func(a *answer) { a.names = name }}
}

// NoModel leaves the name out.
func NoModel() Fault {
	return Fault{Name: "reply names no model", do: func(a *answer) { a.names = "" }}
}

// WrongEndpoint has the metadata say that another model was served, while the
// reply names the one asked for.
func WrongEndpoint(id string) Fault {
	return openAIOnly("wrong model in metadata", func(a *answer) {
		a.routing.endpoint = id
		if m, ok := a.server.sold(id); ok {
			a.price = m.Price
		}
	})
}

// WrongAttempt has the metadata tell of an attempt with another model before.
func WrongAttempt(id string) Fault {
	return openAIOnly("wrong model attempted before", func(a *answer) {
		a.routing.attempts = slices.Insert(slices.Clone(a.routing.attempts), 0, id)
	})
}

// Strategy has the metadata say how the model was found: "fallback", "auto", …
func Strategy(name string) Fault {
	return openAIOnly("routed by strategy "+name, func(a *answer) { a.routing.strategy = name })
}

// Requested has the metadata say that something else was asked for.
func Requested(id string) Fault {
	return openAIOnly("metadata: another model was requested", func(a *answer) { a.routing.requested = id })
}

// Upstream has another upstream answer.
func Upstream(name string) Fault {
	return openAIOnly("upstream "+name, func(a *answer) { a.routing.provider = name })
}

// NoMetadata leaves the metadata out.
func NoMetadata() Fault {
	return openAIOnly("no metadata", func(a *answer) { a.routing.none = true })
}

// Poisoned has the reply make only this call. It stands beside a fault that
// makes a reply unacceptable, so that a test sees whether any of it was executed.
func Poisoned(name, arguments string) Fault {
	return Fault{Name: "poisoned", do: func(a *answer) { a.turn.Calls = []Call{{Name: name, Arguments: arguments}} }}
}
