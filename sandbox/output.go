package sandbox

import "fmt"

// joinOutput puts the two kept ends of an output together.
func joinOutput(head, tail []byte, elided int64) string {
	if elided == 0 {
		return string(head) + string(tail)
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", head, elided, tail)
}
