#!/usr/bin/env python3
"""What completion says of the lines on standard input: the line, a tab, and the words, sorted.

complete.py bash|zsh BINARY SCRIPTS   in a real shell on a terminal, which inserts all completions into the line
complete.py fish BINARY SCRIPTS       by fish's own `complete -C`
complete.py cnibox BINARY SCRIPTS     what it should be: the binary's own words, and files of this folder where it asks for them
"""
import glob
import os
import pty
import re
import select
import subprocess
import sys

SHELL, BINARY, SCRIPTS = sys.argv[1:4]
DEADLINE_S = 30
# Two keys: ^X a inserts all completions, ^X d writes the line to a pipe and empties it.
RC = {
    "bash": r'''
PS1= PROMPT_COMMAND= HISTFILE=
source %(scripts)s/cnibox.bash
bind '"\C-xa": insert-completions'
dump() { printf '%%s\0' "$READLINE_LINE" >&9; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\C-xd": dump'
bind 'set enable-bracketed-paste off'
printf 'ready\0' >&9
''',
    "zsh": r'''
PS1= RPS1= HISTFILE=
unsetopt prompt_cr prompt_sp zle_bracketed_paste
zle_highlight=(none)
fpath=(%(fpath)s $fpath)
autoload -Uz compinit && compinit -u -D
all() { _main_complete; compstate[insert]=all; compstate[list]= }
zle -C all complete-word all
dump() { print -rnu9 -- "$BUFFER"$'\0'; BUFFER= }
zle -N dump
bindkey -e
bindkey '^Xa' all
bindkey '^Xd' dump
zstyle ':completion:*' insert-unambiguous false
ready() { print -rnu9 -- ready$'\0'; zle -D zle-line-init }
zle -N zle-line-init ready
''',
}


def start():
    home = os.environ["BATS_TEST_TMPDIR"]
    read, write = os.pipe()
    os.set_inheritable(write, True)
    fpath = os.path.join(home, "fpath")
    os.makedirs(fpath, exist_ok=True)
    target = os.path.join(fpath, "_cnibox")
    if not os.path.exists(target):
        os.symlink(os.path.join(SCRIPTS, "cnibox.zsh"), target)
    rc = RC[SHELL] % {"scripts": SCRIPTS, "fpath": fpath}
    with open(os.path.join(home, ".zshrc" if SHELL == "zsh" else "bashrc"), "w", encoding="utf-8") as file:
        file.write(rc)
    environment = dict(os.environ, HOME=home, ZDOTDIR=home, TERM="dumb", PATH=path())
    command = ["bash", "--noprofile", "--rcfile", home + "/bashrc", "-i"] if SHELL == "bash" else ["zsh", "-d", "-i"]
    master, slave = pty.openpty()

    def into():
        os.setsid()
        os.dup2(write, 9)
        os.set_inheritable(9, True)

    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                               cwd=os.getcwd(), close_fds=False, preexec_fn=into)
    os.close(slave)
    os.close(write)
    return process, master, read


def answer(master, read):
    """What comes up to a NUL on the pipe; the terminal's own output is drained, and shown when nothing comes."""
    said, screen = b"", b""
    while not said.endswith(b"\0"):
        ready, _, _ = select.select([master, read], [], [], DEADLINE_S)
        if not ready:
            sys.exit("no answer; the screen: %r" % screen[-2000:])
        if master in ready:
            screen += os.read(master, 65536)
        if read in ready:
            data = os.read(read, 65536)
            if not data:
                sys.exit("the shell ended; the screen: %r" % screen[-2000:])
            said += data
    return said[:-1].decode()


def path():
    return os.path.dirname(BINARY) + ":" + os.environ["PATH"]


def on_terminal(lines):
    process, master, read = start()
    answer(master, read)
    for line in lines:
        os.write(master, line.encode() + b"\x18a\x18d")
        after = answer(master, read)
        yield [] if after == line else after[len(line) - len(line.split(" ")[-1]):].split()
    os.close(master)
    process.wait(timeout=DEADLINE_S)


def fish(lines):
    program = """source %s/cnibox.fish
        while read -l line
            complete -C "$line" | string replace -r '\\t.*' ''
            printf '\\0'
        end""" % SCRIPTS
    said = subprocess.run(["fish", "-Nc", program], input="".join(line + "\n" for line in lines), text=True, check=True,
                          stdout=subprocess.PIPE, env=dict(os.environ, PATH=path()), timeout=4 * DEADLINE_S).stdout
    return [answers.split() for answers in said.split("\0")]


def cnibox(lines):
    for line in lines:
        said = subprocess.run([BINARY, "complete"] + line.split(" ")[1:], text=True, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=DEADLINE_S).stdout
        words = []
        for word in said.splitlines():
            if word in ("@file", "@dir"):
                typed = re.sub("^-[^=]*=", "", line.split(" ")[-1])
                words += [name for name in os.listdir() if name.startswith(typed) and (word == "@file" or os.path.isdir(name))]
            elif word == "@command":
                typed = line.split(" ")[-1]
                words += glob.glob(typed + "*") if "/" in typed else [
                    name for folder in set(path().split(":")) if os.path.isdir(folder)
                    for name in os.listdir(folder) if name.startswith(typed)]
            else:
                words.append(word.split("\t")[0])
        yield words


def main():
    lines = [line.rstrip("\n") for line in sys.stdin]
    how = {"cnibox": cnibox, "fish": fish}.get(SHELL, on_terminal)
    for line, words in zip(lines, how(lines)):
        print(line, " ".join(sorted(re.sub("/$|^-[^=]*=", "", word) for word in words)).strip(), sep="\t")


main()
