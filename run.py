#!/usr/bin/env python3
"""Run crdtstore from a fresh copy of the sources, on a machine that has only Python 3.11 or newer.

    python3 run.py demo [options]      the demo; `python3 run.py demo --help` lists the options
    python3 run.py test [options]      all tests; the options are pytest's
    python3 run.py python [options]    the environment's Python, with the tools of development

The first run makes an environment in .venv-<version> beside this file and installs the project with
what the command needs from PyPI; it is made anew when pyproject.toml, the folder or Python changes.
Only the standard library is used, any working directory will do, and several runs at the same time
wait for each other's set-up.
"""

# Old syntax on purpose, all the way down: an old Python must be able to read this file in order to
# say that it is too old.
from __future__ import print_function

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    sys.exit(
        "crdtstore needs Python %d.%d or newer; this is Python %d.%d (%s).\n"
        "Run the same command with a newer one, for example: python%d.%d run.py ..."
        % (OLDEST + tuple(sys.version_info[:2]) + (sys.executable,) + OLDEST)
    )

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess

WINDOWS = os.name == "nt"
ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv-%d.%d" % sys.version_info[:2])
BIN = os.path.join(VENV, "Scripts" if WINDOWS else "bin")
PYTHON = os.path.join(BIN, "python.exe" if WINDOWS else "python")
STAMP = os.path.join(VENV, "run.json")

# Called through -c and not as the installed script: that one is moved about while pip installs.
CLI = "import sys; sys.argv[0] = 'crdtstore'; from sync.cli import main; sys.exit(main())"

# command: (the extras that it needs, the arguments of Python before the user's own)
COMMANDS = {
    "demo": (["cli"], ["-c", CLI, "demo"]),
    "test": (
        ["cli", "test"],
        ["-m", "pytest", "--rootdir", ROOT, "--numprocesses", "auto", "--maxprocesses", "8"],
    ),
    "python": (["cli", "dev"], []),
}


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def say(text):
    print("run.py: " + text, file=sys.stderr)
    sys.stderr.flush()


@contextlib.contextmanager
def lock():
    """Hold the lock file beside the environment: one set-up at a time, over all processes."""
    with open(VENV + ".lock", "a") as held:
        if WINDOWS:
            import msvcrt
            import time

            while True:
                try:
                    msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
                    break
                except OSError:
                    time.sleep(0.5)
        else:
            import fcntl

            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("waiting for another run.py to finish its set-up")
                fcntl.flock(held, fcntl.LOCK_EX)
        # The lock goes with the file: closed here, by exec, or by the end of the process.
        yield


def identity():
    """What an environment was made from: if any of it changes, it is made anew."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {
        "python": sys.version,
        "base": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
        "machine": "%s %s" % (sys.platform, platform.machine()),
        "root": ROOT,
        "pyproject": digest,
    }


def read_stamp():
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp):
    """Last of all, and atomically: an environment without its stamp was interrupted half-way."""
    with open(STAMP + ".new", "w") as file:
        json.dump(stamp, file, indent=1)
    os.replace(STAMP + ".new", STAMP)


def installed(stamp, extras):
    return set(extras) <= set(stamp.get("extras", ())) and all(
        stamp.get(key) == value for key, value in identity().items()
    )


def call(argv, env=None):
    """Run a step of the set-up; its output is shown only if the whole set-up fails."""
    done = subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
    )  # fmt: skip
    return None if done.returncode == 0 else done.stdout.strip()


def create():
    """Make an empty environment that has pip, with what this machine offers."""
    shutil.rmtree(VENV, ignore_errors=True)
    venv_error = call([sys.executable, "-m", "venv", VENV])
    if venv_error is None:
        return
    # Debian and its kin leave out ensurepip, sometimes venv too. virtualenv brings its own pip, and
    # installing it into a folder changes nothing outside of that folder.
    shutil.rmtree(VENV, ignore_errors=True)
    parts = VENV + ".bootstrap"
    try:
        pip_error = call(
            [sys.executable, "-m", "pip", "install", "--no-input", "--target", parts, "virtualenv"]
        )
        if pip_error is None:
            env = dict(os.environ, PYTHONPATH=parts)
            pip_error = call([sys.executable, "-m", "virtualenv", VENV], env)
        if pip_error is None:
            return
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    raise SetupError(
        "this Python (%s) cannot make a virtual environment.\n\n"
        "`python -m venv` said:\n%s\n\n`python -m pip` said:\n%s\n\n"
        "Install what is missing and run the same command again:\n"
        "    Debian, Ubuntu:  apt-get install python3-venv\n"
        "    elsewhere:       any Python 3.11 or newer from python.org, pyenv or uv has both"
        % (sys.executable, venv_error, pip_error)
    )


def install(extras):
    target = ".[%s]" % ",".join(sorted(extras))
    done = subprocess.call(
        [PYTHON, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"]
        + ["--editable", target],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
    )
    if done != 0:
        raise SetupError(
            "pip could not install %s (its reasons are above).\n"
            "It needs PyPI: check the network, or point PIP_INDEX_URL or HTTPS_PROXY at yours, and "
            "run the same command again." % target
        )


def set_up(extras):
    """Have an environment with these extras; do nothing if there is one."""
    if installed(read_stamp(), extras):
        return
    with lock():
        stamp = read_stamp()
        if installed(stamp, extras):
            return  # somebody else did it while this process waited
        current = identity()
        same = all(stamp.get(key) == current[key] for key in current if key != "pyproject")
        wanted = set(extras) | (set(stamp["extras"]) if same else set())
        say(
            "setting up %s with %s (only now; it takes up to a minute)"
            % (os.path.basename(VENV), ", ".join(sorted(wanted)))
        )
        if same:
            os.remove(STAMP)
        else:
            create()
        install(wanted)
        write_stamp(dict(current, extras=sorted(wanted)))


def environment():
    """The environment variables for the new Python: its own programs first, these sources first."""
    env = dict(os.environ, VIRTUAL_ENV=VENV, PYTHONPATH=ROOT)
    env["PATH"] = BIN + os.pathsep + env.get("PATH", os.defpath)
    env.pop("PYTHONHOME", None)
    return env


def main(argv):
    if not argv or argv[0] not in COMMANDS:
        asked_for_help = argv[:1] in (["-h"], ["--help"], ["help"])
        print(__doc__, file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else 2
    extras, arguments = COMMANDS[argv[0]]
    try:
        set_up(extras)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say("cannot set up %s: %s" % (VENV, error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run starts the set-up again")
        return 130
    if argv[0] == "test":
        os.chdir(ROOT)
    command = [PYTHON] + arguments + argv[1:]
    if not WINDOWS:
        os.execve(PYTHON, command, environment())
    try:
        return subprocess.call(command, env=environment())
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
