//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// network are attacks over the network. What is sent goes to listeners of the
// test on loopback; every other address is only asked the way to: a UDP socket
// that connects sends nothing.
func network() map[string]attack {
	loopback, loopback6 := [4]byte{127, 0, 0, 1}, [16]byte{15: 1}
	all := map[string]attack{
		"tcp": func(g ground) (string, error) {
			return connect(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Port: g.TCP, Addr: loopback}, g.Marker)
		},
		"tcp6": func(g ground) (string, error) {
			return connect(unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Port: g.TCP6, Addr: loopback6}, g.Marker)
		},
		"tcp-mapped": func(g ground) (string, error) { // ::ffff:127.0.0.1
			return connect(unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Port: g.TCP, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}, g.Marker)
		},
		"udp": func(g ground) (string, error) {
			return connect(unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Port: g.UDP, Addr: loopback}, g.Marker)
		},
		"dns": func(g ground) (string, error) { // a query that carries the secret out as a name
			return connect(unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Port: g.UDP, Addr: loopback}, query(g.Marker))
		},
		"abstract": func(g ground) (string, error) {
			return connect(unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: "@" + g.Abstract}, g.Marker)
		},
		"unix-path": func(g ground) (string, error) {
			return connect(unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: g.Socket}, g.Marker)
		},
		"engine": engineSocket,
		"engine-proc": func(g ground) (string, error) {
			return askEngine(fmt.Sprintf("/proc/%d/root/var/run/docker.sock", g.PID), g.Marker)
		},
		"resolv-conf": func(g ground) (string, error) {
			got, err := read("/etc/resolv.conf")
			if err == nil && !strings.Contains(got, g.Resolver) {
				err = errFailed
			}
			return g.Resolver, err
		},
		"resolver":   func(g ground) (string, error) { return route(g.Resolver) },
		"interfaces": interfaces,
		"routes":     routes,
		"address":    address,
		"raw":        func(ground) (string, error) { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) },
		"raw6":       func(ground) (string, error) { return socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6) },
		"packet":     func(ground) (string, error) { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0) },
		"ping":       func(ground) (string, error) { return socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP) },
		"vsock":      func(ground) (string, error) { return socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) },
		"bridge":     bridge,
		"listen":     func(g ground) (string, error) { return listen(g.Marker) },
		"neighbour":  neighbour,
	}
	for name, ip := range map[string]string{
		"metadata": "169.254.169.254", "link-local": "169.254.1.1", "internet": "192.0.2.1", "gateway": "172.17.0.1", "private": "10.0.0.1",
		"multicast": "224.0.0.251", "broadcast": "255.255.255.255",
		"internet6": "2001:db8::1", "metadata6": "fd00:ec2::254", "link-local6": "fe80::1",
	} {
		all["route-"+name] = func(ground) (string, error) { return route(ip) }
	}
	return all
}

// connect sends what to a listener of the test's own.
func connect(family, kind int, to unix.Sockaddr, what string) (string, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, to); err != nil {
		return "", err
	}
	_, err = unix.Write(fd, []byte(what))
	if err == nil && kind == unix.SOCK_DGRAM {
		// Where nobody listens, the first datagram's answer fails the second.
		_, err = unix.Write(fd, []byte(what))
	}
	return "sent", err
}

// query is a DNS question for the name what.box.invalid.
func query(what string) string {
	var b strings.Builder
	b.WriteString("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00")
	for _, label := range []string{what, "box", "invalid"} {
		b.WriteByte(byte(len(label)))
		b.WriteString(label)
	}
	b.WriteString("\x00\x00\x10\x00\x01") // TXT, IN
	return b.String()
}

// route asks the kernel the way to an address. Nothing is sent.
func route(ip string) (string, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "", err
	}
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: 53, Addr: addr.As16(), ZoneId: zone(addr)})
	if addr.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: 53, Addr: addr.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
	if err := unix.Connect(fd, to); err != nil {
		return "", err
	}
	return "a way to " + ip, nil
}

// zone is the first interface that is not loopback: a link-local address needs one.
func zone(a netip.Addr) uint32 {
	if !a.IsLinkLocalUnicast() {
		return 0
	}
	all, _ := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return uint32(i.Index)
		}
	}
	return 1
}

func interfaces(ground) (string, error) {
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		if e.Name() != "lo" && e.Name() != "bonding_masters" {
			found = append(found, e.Name())
		}
	}
	all, err := net.Interfaces()
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			found = append(found, i.Name)
		}
	}
	if err == nil && len(found) == 0 {
		err = errFailed
	}
	return strings.Join(found, " "), err
}

func routes(ground) (string, error) {
	var found []string
	v4, err := read("/proc/net/route")
	for i, line := range strings.Split(strings.TrimSpace(v4), "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 && f[0] != "lo" {
			found = append(found, f[0])
		}
	}
	v6, _ := read("/proc/net/ipv6_route")
	for line := range strings.Lines(v6) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] != "lo" {
			found = append(found, f[len(f)-1])
		}
	}
	if err == nil && len(found) == 0 {
		err = errFailed
	}
	return strings.Join(found, " "), err
}

// address gives loopback one more address (SIOCSIFADDR of lo:1).
func address(ground) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return "", err
	}
	request := struct {
		name   [16]byte
		family uint16
		port   uint16
		addr   [4]byte
		rest   [16]byte
	}{family: unix.AF_INET, addr: [4]byte{192, 0, 2, 7}}
	copy(request.name[:], "lo:1")
	_, err = call(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, pointer(&request))
	return "192.0.2.7", err
}

// bridge makes a network device.
func bridge(ground) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return "", err
	}
	name := [16]byte{'a', 't', 't', 'a', 'c', 'k'}
	_, err = call(unix.SYS_IOCTL, uintptr(fd), 0x89a0, pointer(&name)) // SIOCBRADDBR
	return "made", err
}

func socket(family, kind, protocol int) (string, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return "", err
	}
	return "a socket", unix.Close(fd)
}

// engineSocket looks for an engine where they usually listen.
func engineSocket(g ground) (string, error) {
	var last error
	for _, path := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock"} {
		got, err := askEngine(path, g.Marker)
		if err == nil {
			return got, nil
		}
		last = err
	}
	return "", last
}

// askEngine asks an engine for a sign of life.
func askEngine(path, marker string) (string, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /_ping HTTP/1.0\r\nUser-Agent: %s\r\n\r\n", marker)
	b := make([]byte, 4096)
	n, err := c.Read(b)
	return string(b[:max(n, 0)]), err
}

// neighbourPort is where a box listens that another one must not reach.
const neighbourPort = "127.0.0.1:4711"

// listen is a server in a box.
func listen(marker string) (string, error) {
	l, err := net.Listen("tcp", neighbourPort)
	if err != nil {
		return "", err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(c, marker)
		c.Close()
	}
}

// neighbour speaks to the server of another box.
func neighbour(ground) (string, error) {
	c, err := net.Dial("tcp", neighbourPort)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b := make([]byte, 256)
	n, err := c.Read(b)
	return string(b[:max(n, 0)]), err
}
