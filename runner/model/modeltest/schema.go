package modeltest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed requests.schema.json
var requestsSchema []byte

// Valid says what is wrong with a request's body in a format of OpenAI's
// family: its published schema, reduced to what Glovebox sends and closed for
// everything else (requests.schema.json). A [Server] asks it of every request.
func Valid(w Wire, body []byte) error {
	schema, err := compiled(w)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := schema.Validate(doc); err != nil {
		return err
	}
	return answered(body)
}

// schemaID is the name that the schema gives itself; nothing is fetched.
const schemaID = "https://glovebox.run/requests"

var compile = sync.OnceValues(func() (map[Wire]*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(requestsSchema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaID, doc); err != nil {
		return nil, err
	}
	schemas := map[Wire]*jsonschema.Schema{}
	for _, w := range []Wire{OpenAI, OpenRouter, Local} {
		if schemas[w], err = c.Compile(schemaID + "#/$defs/" + string(w)); err != nil {
			return nil, err
		}
	}
	return schemas, nil
})

func compiled(w Wire) (*jsonschema.Schema, error) {
	schemas, err := compile()
	if err != nil {
		return nil, err
	}
	if schemas[w] == nil {
		return nil, fmt.Errorf("there is no schema of the format %s", w)
	}
	return schemas[w], nil
}

var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// answered checks what no schema can say and servers answer 400 to: each call
// has exactly one result, right after it, its arguments are a JSON object, and
// its name could be a function's, whatever the model called.
func answered(body []byte) error {
	r := Request{Body: body}
	if err := r.parse(); err != nil {
		return err
	}
	var open []string
	for i, m := range r.Messages {
		switch {
		case m.Role == "tool":
			n := len(open)
			open = without(open, m.ID)
			if len(open) == n {
				return fmt.Errorf("message %d is the result of %q, which was not called right before", i, m.ID)
			}
		case len(open) > 0:
			return fmt.Errorf("message %d comes before the results of %q", i, open)
		}
		for _, c := range m.Calls {
			if !functionName.MatchString(c.Name) {
				return fmt.Errorf("message %d calls %.80q, which no function can be named", i, c.Name)
			}
			if !isObject(c.Arguments) {
				return fmt.Errorf("message %d: the arguments of %q are no JSON object: %.80q", i, c.ID, c.Arguments)
			}
			open = append(open, c.ID)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("the calls %q have no result", open)
	}
	return nil
}

func without(list []string, s string) []string {
	i := slices.Index(list, s)
	if i < 0 {
		return list
	}
	return slices.Delete(list, i, i+1)
}

func isObject(s string) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal([]byte(s), &fields) == nil && fields != nil
}
