# What this image holds: a line "key<TAB>version" for each thing asked for, and
# "key<TAB>-" if it is not there. Needs a shell and nothing else.
tab='	'
nl='
'

# say KEY COMMAND ARGUMENT...: the first line that the command prints.
say() {
	key=$1
	shift
	if ! command -v "$1" >/dev/null 2>&1; then
		echo "$key$tab-"
		return
	fi
	if v=$("$@" 2>/dev/null </dev/null) || [ -n "$v" ]; then
		echo "$key$tab:${v%%"$nl"*}"
	else
		echo "$key$tab-"
	fi
}

say bash bash --version
say git git --version
say python3 python3 --version
say node node --version
say go go version
say gcc gcc --version
say rg rg --version
say jq jq --version
say make make --version
say sqlite3 sqlite3 --version
say curl curl --version

# One start of Python for all its packages; pip itself needs ten times as long.
if command -v python3 >/dev/null 2>&1; then
	python3 -I -c '
import importlib.metadata as m
seen = sorted({d.metadata["Name"]: d.version for d in m.distributions()}.items(), key=lambda d: d[0].lower())
pytest = [v for n, v in seen if n == "pytest"]
print("pytest\t" + (":" + pytest[0] if pytest else "-"))
for n, v in seen[:200]:
    print("pip\t:" + n)
' 2>/dev/null </dev/null
else
	echo "pytest$tab-"
fi

# The slow ones last.
say npm npm --version
say chromium chromium --version
