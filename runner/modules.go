package runner

import (
	"path"
	"slices"
	"strings"
)

// pythonModules are the modules of Python's own library (3.8 to 3.14) and those
// that pytest brings. Python looks for them in the project first.
var pythonModules = strings.Fields(`
__future__ _aix_support _collections_abc _colorize _compat_pickle _compression _markupbase _opcode_metadata _osx_support _py_abc
_pydecimal _pyio _pyrepl _pytest _sitebuiltins _strptime _sysconfigdata _threading_local _weakrefset abc aifc annotationlib
antigravity anyio argparse array ast asynchat asyncio asyncore atexit attr attrs audioop base64 bdb binascii bisect builtins bz2
cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorama colorsys compileall compression concurrent
configparser contextlib contextvars copy copyreg coverage crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis
distutils doctest email encodings ensurepip enum errno exceptiongroup faulthandler fcntl filecmp fileinput fnmatch fractions
ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib
imghdr imp importlib iniconfig inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap
marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode
operator optparse os ossaudiodev packaging pathlib pdb pickle pickletools pipes pkgutil platform plistlib pluggy poplib posix
posixpath pprint profile pstats pty pwd py py_compile pyclbr pydoc pydoc_data pyexpat pygments pytest pytest_asyncio pytest_cov
queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal
site sitecustomize smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics
string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap
this threading time timeit tkinter token tokenize tomli tomllib trace traceback tracemalloc tty turtle turtledemo types typing
typing_extensions unicodedata unittest urllib usercustomize uu uuid venv warnings wave weakref webbrowser winreg winsound
wsgiref xdist xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
`)

// pathDirs are where Python looks for modules of a project.
var pathDirs = []string{".", "src", "lib", "python"}

// replacesModule is the module in whose place Python would import a file, "" if none.
func replacesModule(name string) string {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	module, ext, _ := strings.Cut(base, ".")
	ext = path.Ext("." + ext)
	if !slices.Contains([]string{".py", ".pyc", ".so", ".pyd", ".zip"}, ext) {
		return ""
	}
	if module == "__init__" { // the directory is the module
		dir, module = path.Dir(dir), path.Base(dir)
	}
	if (slices.Contains(pathDirs, dir) || testDir(name) == dir) && slices.Contains(pythonModules, module) {
		return module
	}
	return ""
}

// isPlugin says that a file names plugins of pytest, which loads them by itself.
func (w workspace) isPlugin(name string) bool {
	dir := strings.ToLower(path.Base(path.Dir(name)))
	if !strings.EqualFold(path.Base(name), "entry_points.txt") || !strings.HasSuffix(dir, "dist-info") && !strings.HasSuffix(dir, "egg-info") {
		return false
	}
	data, err := w.read(name, frozenMax)
	return err != nil || strings.Contains(string(data), "pytest11")
}
