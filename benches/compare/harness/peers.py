"""The proxies that are compared: what each needs, its configuration, and how it is started."""

import glob
import os
import pathlib
import shutil
import subprocess

from . import machine
from .processes import Failure, Process, free_port
from .upstream import CLIENT_TOKEN, CLOUD_PATH, GRAPH_TOKEN, PHONE_NUMBER_ID

TEMPLATES = pathlib.Path(__file__).resolve().parent.parent / "peers"
NGINX_MODULES = "/usr/lib/nginx/modules"

# Keys of our own configuration that came or may come later; a build that does not know one is asked without it.
LATER_KEYS = ["[pacing]\nenabled = false\n", "[server]\nworkers = 1\n"]


def find(name):
    """A program, also where only root looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def lua_libraries():
    """The folder of cjson.so for LuaJIT, which is Lua 5.1."""
    folders = {os.path.dirname(path) for path in glob.glob("/usr/lib/*/lua/5.1/cjson.so*")}
    return min(folders, default=None)


class Peer:
    """A proxy, not started yet. `name` is what tables call it, and `--only`."""

    is_ours = False
    rewrites = False

    def missing(self):
        """Debian packages that it needs and that are not here."""
        return []

    def version(self):
        """What is compared."""
        raise NotImplementedError

    def configure(self, words, folder):
        """Writes its configuration and gives the command."""
        raise NotImplementedError

    def start(self, upstream, folder, connections):
        """A new process with a folder of its own."""
        folder = pathlib.Path(folder)
        folder.mkdir()
        words = {
            "FOLDER": folder,
            "LISTEN": free_port(),
            "UPSTREAM": upstream.port,
            "SCHEME": upstream.scheme,
            "CA": upstream.ca,
            "CONNECTIONS": connections,
            "FILES": 2 * connections + 50,
            "CLIENT_TOKEN": CLIENT_TOKEN,
            "GRAPH_TOKEN": GRAPH_TOKEN,
            "PHONE_NUMBER_ID": PHONE_NUMBER_ID,
            "CLOUD_PATH": CLOUD_PATH,
        }
        command = self.configure(words, folder)
        environment = {**os.environ, "TMPDIR": str(folder)}
        process = Process(self.name, command, machine.PEER_CORE, folder / "output.log", env=environment)
        try:
            process.wait_until_it_listens(words["LISTEN"])
        except BaseException:
            process.stop()
            raise
        return Running(self, process, words["LISTEN"])


class Running:
    """A peer that runs."""

    def __init__(self, peer, process, port):
        self.peer = peer
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def stop(self):
        """Ends it."""
        self.process.stop()


def fill(template, target, words):
    """Writes a template with its @WORDS@ filled in."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    target.write_text(text, encoding="utf-8")


class Nginx(Peer):
    """What nginx does when it only passes on."""

    name = "nginx"
    template = "nginx.conf"

    def missing(self):
        return [] if find("nginx") else ["nginx"]

    def version(self):
        return f"nginx {machine.version([find('nginx'), '-v'])}"

    def configure(self, words, folder):
        # nginx counts connections to both sides, and closes waiting ones when a sixteenth of all is left.
        words = {**words, "CONNECTIONS": words["CONNECTIONS"] * 9 // 4}
        fill(self.template, folder / "nginx.conf", words)
        return [find("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


class NginxLua(Nginx):
    """nginx that translates."""

    name = "nginx-lua"
    template = "nginx-lua.conf"
    rewrites = True

    def missing(self):
        module = os.path.exists(f"{NGINX_MODULES}/ngx_http_lua_module.so")
        packages = [] if module else ["libnginx-mod-http-lua"]
        return super().missing() + packages + ([] if lua_libraries() else ["lua-cjson"])

    def version(self):
        return None

    def configure(self, words, folder):
        words = {**words, "MODULES": NGINX_MODULES, "SCRIPTS": TEMPLATES, "CPATH": lua_libraries()}
        # nginx changes its user when root starts it, and this checkout may be out of that user's reach.
        shutil.copy(TEMPLATES / "rewrite.lua", folder)
        words["SCRIPTS"] = folder
        folder.chmod(0o755)
        return super().configure(words, folder)


class HAProxy(Peer):
    """HAProxy, passing HTTP on."""

    name = "haproxy"

    def missing(self):
        return [] if find("haproxy") else ["haproxy"]

    def version(self):
        return f"HAProxy {machine.version([find('haproxy'), '-v'])}"

    def configure(self, words, folder):
        tls = f"ssl verify required ca-file {words['CA']} sni str(localhost) verifyhost localhost"
        words = {**words, "SERVER_TLS": tls if words["SCHEME"] == "https" else ""}
        fill("haproxy.cfg", folder / "haproxy.cfg", words)
        return [find("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


class Prembridge(Peer):
    """A build of ours."""

    is_ours = True
    rewrites = True

    def __init__(self, name, binary):
        self.name = name
        self.binary = str(binary)

    def version(self):
        return f"{self.name} {machine.version([self.binary, '--version'])}"

    def configure(self, words, folder):
        path = folder / "prembridge.toml"
        fill("prembridge.toml", path, words)
        self._check(path)
        for keys in LATER_KEYS:
            before = path.read_text(encoding="utf-8")
            path.write_text(keys + before, encoding="utf-8")
            if self._problems(path):
                path.write_text(before, encoding="utf-8")
        return [self.binary, "serve", "-c", str(path)]

    def _problems(self, path):
        told = subprocess.run([self.binary, "check", "-c", path], capture_output=True, text=True, check=False)
        return told.stderr + told.stdout if told.returncode else None

    def _check(self, path):
        problems = self._problems(path)
        if problems:
            raise Failure(f"{self.name} refuses its configuration\n{problems}")
