"""`ftdist completion`: shell completion of commands, flags, keys, values and names of runs."""

import argparse
import sys
from collections.abc import Sequence

from ftdist.cli.common import CommandParser
from ftdist.errors import ConfigError

SCRIPTS = {
    "bash": r"""# ftdist: completion for bash
_ftdist_completion() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" word cut=""
    COMPREPLY=($(ftdist completion --line "$line" 2>/dev/null))
    # bash takes = and : for the beginning of a new word, and replaces what follows them.
    word="${line##*[[:space:]]}"
    [[ $COMP_WORDBREAKS == *=* && $word == *[=:]* ]] && cut="${word%"${word##*[=:]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -o nospace -F _ftdist_completion ftdist
""",
    "zsh": r"""# ftdist: completion for zsh
_ftdist() {
    local -a found
    found=("${(@f)$(ftdist completion --line "${LBUFFER}" 2>/dev/null)}")
    [[ -n ${found[1]} ]] && compadd -Q -S '' -- "${found[@]}"
}
if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
compdef _ftdist ftdist
""",
    "fish": r"""# ftdist: completion for fish
complete -c ftdist -f -a '(ftdist completion --line (commandline -cp) 2>/dev/null | string trim -r)'
""",
}
HOW = {
    "bash": 'add to ~/.bashrc: eval "$(ftdist completion bash)"',
    "zsh": 'add to ~/.zshrc: eval "$(ftdist completion zsh)"',
    "fish": "write it to ~/.config/fish/completions/ftdist.fish",
}
DESCRIPTION = (
    "Print a script for a shell that completes commands, flags, keys, values and runs:\n"
    + ("\n".join(f"  {shell:<5} {how}" for shell, how in HOW.items()))
)


def main(arguments: Sequence[str]) -> int:
    """Print the script of a shell; with --line, what completes a line typed so far.

    Raises:
        ConfigError: there is no script for that shell.
    """
    parser = CommandParser("completion", description=DESCRIPTION)
    parser.add_argument("shell", nargs="?", metavar="SHELL", help=", ".join(SCRIPTS))
    parser.add_argument("--line", help=argparse.SUPPRESS)  # the scripts use it
    flags = parser.parse_args(arguments)
    if flags.line is None:
        if flags.shell not in SCRIPTS:
            raise ConfigError(
                "`ftdist completion` needs the name of a shell."
                if flags.shell is None
                else f"There is no completion for {flags.shell!r}.",
                remedy="write `ftdist completion bash`, zsh or fish.",
            )
        sys.stdout.write(SCRIPTS[flags.shell])
        return 0
    from ftdist.cli.completion import complete

    sys.stdout.write("".join(f"{word}\n" for word in complete(flags.line)))
    return 0
