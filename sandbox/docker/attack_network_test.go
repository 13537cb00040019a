package docker

// networkAttacks go to listeners of the test's own on loopback. Of every other
// address only the route is asked; nothing is sent.
func networkAttacks(g *ground) []attack {
	host := []wall{hostNetwork()}
	raw := asRoot("NET_RAW", noSeccomp())
	admin := asRoot("NET_ADMIN")
	rows := grouped("network", permitted, []attack{
		{name: "TCP to the host's loopback", run: "tcp", walls: host, wins: reached(hitTCP)},
		{name: "TCP over IPv6", run: "tcp6", walls: host, wins: reached(hitTCP6)},
		{name: "TCP to a mapped address", run: "tcp-mapped", walls: host, wins: reached(hitTCP)},
		{name: "UDP", run: "udp", walls: host, wins: reached(hitUDP)},
		{name: "a secret in a DNS query", run: "dns", walls: host, wins: reached(hitUDP)},
		{name: "server of another box", run: "neighbour", prepare: openNeighbour, walls: []wall{networkOf(g)}, wins: neighbourSpoke},
		{name: "interfaces", run: "interfaces", walls: host},
		{name: "routes", run: "routes", walls: host},
		{name: "name server of the host in resolv.conf", run: "resolv-conf", walls: host},
		{name: "route to the name server", run: "resolver", walls: host},
		{name: "an address of its own", run: "address", alone: true, walls: admin},
		{name: "a device of its own", run: "bridge", alone: true, walls: admin},
		{name: "raw socket, ICMP", run: "raw", walls: raw},
		{name: "raw socket, ICMPv6", run: "raw6", walls: raw},
		{name: "packet socket", run: "packet", walls: raw},
		{name: "vsock", run: "vsock", walls: []wall{noSeccomp()}},
	})
	for _, to := range []string{"metadata", "link-local", "internet", "gateway", "private", "multicast", "broadcast", "internet6", "metadata6", "link-local6"} {
		rows = append(rows, attack{group: "network", name: "route: " + to, run: "route-" + to, walls: host, wins: permitted})
	}
	return rows
}

// agentAttacks are on process 1. The walls between two processes of one user
// are the agent's own, so the agent is changed.
func agentAttacks() []attack {
	open := []wall{dumpable()}
	filtered := []wall{noSeccomp()}
	return grouped("agent", permitted, []attack{
		{name: "trace it", run: "agent-ptrace", walls: open},
		{name: "read its memory", run: "agent-read", walls: append(open, noSeccomp())},
		{name: "/proc/1/mem", run: "agent-mem", walls: open},
		{name: "/proc/1/environ", run: "agent-environ", walls: open},
		{name: "/proc/1/maps, auxv", run: "agent-maps", walls: open},
		{name: "/proc/1/exe, cwd, root", run: "agent-links", walls: open},
		{name: "its stream in /proc/1/fd", run: "agent-stream", walls: open},
		{name: "take a descriptor from it", run: "agent-pidfd", walls: append(open, noSeccomp())},
		{name: "compare with it (kcmp)", run: "agent-kcmp", walls: append(open, noSeccomp())},
		{name: "first to be killed for memory", run: "agent-oom", walls: open},
		{name: "its other settings in /proc", run: "agent-settings", walls: open},
		{name: "descriptors inherited from it", run: "agent-inherits", walls: []wall{inherited()}},
		{name: "every signal", run: "agent-signals", alone: true, walls: []wall{heedingSignals()}, wins: boxLost},
		{name: "a queued signal", run: "agent-queue", alone: true, walls: []wall{heedingSignals()}, wins: boxLost},
		{name: "limit its files (prlimit)", run: "agent-limit", alone: true, ends: true, walls: filtered},
		{name: "lower its priority", run: "agent-renice", alone: true, walls: filtered},
		{name: "lower its priority for the disk", run: "agent-ioprio", alone: true, walls: filtered},
		{name: "move it to one processor", run: "agent-affinity", alone: true, walls: filtered},
		{name: "give it another policy", run: "agent-policy", alone: true, walls: filtered},
		{name: "limit its files, 32 bits", run: "agent-limit", program: small32, alone: true, ends: true, walls: filtered},
		{name: "overwrite its program", run: "agent-program", walls: []wall{anyUser(), capabilities("DAC_OVERRIDE"), writableAgent()}},
		{name: "overwrite /proc/1/exe (CVE-2019-5736)", run: "agent-exe", walls: []wall{anyUser(), capabilities("DAC_OVERRIDE SYS_PTRACE"), writableAgent()}},
		{name: "plant a file beside it", run: "agent-replace", walls: []wall{anyUser(), writableAgent()}},
	})
}
