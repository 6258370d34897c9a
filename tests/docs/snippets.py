"""Runs the fenced blocks of a Markdown document, in their order, in a folder of its own.

| block | what is done with it |
|---|---|
| any, with `# file: NAME` as its first line, or `csv NAME` after the fence | written to that file |
| `yaml` | must be a file; a policy is loaded (`..., which is refused`: must not load), and its own tests run |
| `sh` | each line is run; `# exits 1` or `# exits 0 or 1` at its end says how it ends, if not with 0 |
| `text` | what the `sh` block before it prints; `…` stands for anything, alone on a line for any lines |

`inkguard` runs in this process, through its entry point; other commands run in a shell. A file that no
policy and no command reads is a mistake, and so is any other block.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import yaml
from markdown_it import MarkdownIt

from inkguard.cli.main import main
from inkguard.errors import PolicyError
from inkguard.policy.load import load_policy

__all__ = ["problems", "section", "write_files"]

_FILE = re.compile(r"# file: (\S+?)(, which is refused)?\n")
_EXITS = re.compile(r"# (?:.*\W)?exits (\d+)(?: or (\d+))?$")
_COMMENT = re.compile(r"(^|\s{2,})# .*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `name` is of a file, or empty, and `line` that of its fence, from 1."""

    language: str
    name: str
    refused: bool
    text: str
    line: int

    def write(self) -> Path:
        path = Path(self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")
        return path


def problems(markdown: str) -> list[str]:
    """What is wrong with a document's blocks, each with its line. Works in the current folder."""
    run = _Run()
    for block in _blocks(markdown):
        run.found += (f"line {block.line}: {text}" for text in run.block(block))
    unread = run.written.keys() - {path.name for path in run.read}
    return run.found + [f"line {run.written[name]}: nothing reads {name}" for name in unread]


def write_files(markdown: str) -> None:
    """Writes a document's files, for another one to use."""
    for block in _blocks(markdown):
        if block.name:
            block.write()


def section(markdown: str, heading: str) -> str:
    """A section of a document, with its heading; its blocks' lines are counted from there."""
    tokens = MarkdownIt().parse(markdown)
    heads = [
        (int(token.tag[1]), token.map[0], tokens[number + 1].content)
        for number, token in enumerate(tokens)
        if token.type == "heading_open" and token.map
    ]
    level, start = next((level, line) for level, line, text in heads if text == heading)
    end = next((line for deep, line, _ in heads if line > start and deep <= level), None)
    return "\n".join(markdown.split("\n")[start:end])


def _blocks(markdown: str) -> Iterator[Block]:
    for token in MarkdownIt().parse(markdown):
        if token.type in ("fence", "code_block"):
            language, _, name = token.info.strip().partition(" ")
            first = _FILE.match(token.content)
            assert token.map is not None
            yield Block(
                language=language,
                name=first[1] if first else name.strip(),
                refused=bool(first and first[2]),
                text=token.content,
                line=token.map[0] + 1,
            )


@dataclass(slots=True)
class _Run:
    found: list[str] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    read: set[Path] = field(default_factory=set)
    _printed: str | None = None

    def block(self, block: Block) -> Iterator[str]:
        printed, self._printed = self._printed, None
        if block.name:
            yield from self._file(block)
        elif block.language == "sh":
            yield from self._commands(block)
        elif block.language == "text" and printed is not None:
            if not _promised(block.text).fullmatch(_trimmed(printed)):
                yield f"what is printed is not what stands here:\n{_trimmed(printed)}"
        else:
            yield "this block is no file, no command and no command's output"

    def _file(self, block: Block) -> Iterator[str]:
        path = block.write()
        data = yaml.safe_load(block.text) if block.language == "yaml" else {}
        if "apiVersion" not in data:
            self.written[path.name] = block.line
            return
        try:
            policy = load_policy(path)
        except PolicyError as error:
            if not block.refused:
                yield str(error)
            return
        self.read.update(policy.files)
        if block.refused:
            yield "this policy loads"
        elif "tests" in data:
            code, printed = _inkguard(["policy", "test", block.name])
            if code:
                yield f"exit code {code}\n{printed}"

    def _commands(self, block: Block) -> Iterator[str]:
        self._printed = ""
        for line in block.text.replace("\\\n", " ").splitlines():
            exits = _EXITS.search(line)
            command = _COMMENT.sub("", line).strip()
            if not command:
                continue
            words = shlex.split(command)
            self.read.update(map(Path, words))
            code, printed = _inkguard(words[1:]) if words[0] == "inkguard" else _shell(command)
            self._printed += printed
            if str(code) not in (exits.groups() if exits else ("0",)):
                yield f"{command}: exit code {code}\n{printed}"


def _inkguard(arguments: list[str]) -> tuple[int, str]:
    """The command's exit code, and what it prints on both streams."""
    printed, code = io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["inkguard", *arguments]),
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, printed.getvalue()


def _shell(command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def _promised(text: str) -> re.Pattern[str]:
    lines = _trimmed(text).splitlines(keepends=True)
    parts = (
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", ".*")
        for line in lines
    )
    return re.compile("".join(parts))
