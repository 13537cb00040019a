# Removes what is left of a test's Docker engine when standard input ends, that
# is when the test is over or its process is gone. DIR is the engine's
# directory; its file names has, one a line, arguments that only processes of
# the engine have. Neither is an argument here, or this process would be one.
cat >/dev/null

ours() { grep -lzxF -f "$DIR/names" /proc/[0-9]*/cmdline 2>/dev/null; }

kill_ours() {
	for line in $(ours); do
		process=${line%/cmdline}
		# What a shim started is its container; without the shim nobody ends it.
		if grep -qaF containerd-shim "$line" 2>/dev/null; then
			kill -9 $(cat "$process"/task/*/children 2>/dev/null) 2>/dev/null
		fi
		kill -9 "${process#/proc/}" 2>/dev/null
	done
}

tries=100
while [ -n "$(ours)" ] && [ $tries -gt 0 ]; do
	kill_ours
	sleep 0.1
	tries=$((tries - 1))
done

containers=$(ls "$DIR/data/containers" 2>/dev/null)
# The last mount is the uppermost.
sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* \($DIR/[^ ]*\) .*|\1|p" /proc/self/mountinfo | tac | while read -r place; do
	umount -l "$place" 2>/dev/null
done
for id in $containers; do
	find /sys/fs/cgroup -depth -type d -path "*/$id*" -exec rmdir {} \; 2>/dev/null
done
rm -rf "$DIR"
